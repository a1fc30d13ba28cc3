"""What handlers.py offers and the defaults of settings.py. Yours, like the code it tests."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import TextContent, TextResourceContents

from myapi.handlers import is_ready, server
from myapi.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
async def mcp() -> AsyncIterator[Client]:
    """The SDK's client of the server, without HTTP between them."""
    async with Client(server) as client:
        yield client


async def refusal(mcp: Client, tool: str, arguments: dict[str, Any]) -> str:
    result = await mcp.call_tool(tool, arguments)
    (content,) = result.content
    assert result.is_error
    assert isinstance(content, TextContent)
    return content.text


async def read(mcp: Client, uri: str) -> Any:
    (content,) = (await mcp.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)


async def test_shorten(mcp: Client) -> None:
    result = await mcp.call_tool("shorten", {"text": "one two three", "max_words": 2})
    assert result.structured_content == {"text": "one two", "words": 2}


@pytest.mark.parametrize(
    "arguments", [{}, {"text": ""}, {"text": 1}, {"text": "x", "max_words": 0}, {"text": None}]
)
async def test_bad_arguments_are_refused_with_a_reason(
    mcp: Client, arguments: dict[str, Any]
) -> None:
    assert "validation error" in await refusal(mcp, "shorten", arguments)


async def test_count_words_says_how_far_it_is(mcp: Client) -> None:
    seen = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    texts = {"texts": ["one", "one two"]}
    result = await mcp.call_tool("count_words", texts, progress_callback=note)
    assert result.structured_content == {"result": [1, 2]}
    assert seen == [(1, 2), (2, 2)]


async def test_a_text_without_words_is_said(mcp: Client) -> None:
    assert "Text 2 has no words" in await refusal(mcp, "count_words", {"texts": ["one", " "]})


async def test_a_client_need_not_ask_before_it_reads(mcp: Client) -> None:
    tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
    assert tools.keys() == {"shorten", "count_words"}
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
    assert all(tool.output_schema for tool in tools.values())


async def test_items(mcp: Client) -> None:
    assert await read(mcp, "catalog://items/1") == {"item_id": 1, "name": "first item"}
    assert len(await read(mcp, "catalog://items")) == 2
    with pytest.raises(MCPError, match="There is no item 404"):
        await read(mcp, "catalog://items/404")


async def test_summarize(mcp: Client) -> None:
    prompt = await mcp.get_prompt("summarize", {"text": "A long story.", "sentences": "1"})
    (message,) = prompt.messages
    assert isinstance(message.content, TextContent)
    assert message.content.text == "Summarize this text in 1 sentences:\n\nA long story."


async def test_nobody_can_hold_a_stream_open(mcp: Client) -> None:
    with pytest.raises(MCPError, match="Method not found"):
        async with mcp.listen(tools_list_changed=True):
            pass


async def test_it_is_ready() -> None:
    assert await is_ready()


async def test_unless_set_no_page_may_call_and_a_request_is_small() -> None:
    settings = Settings()
    assert settings.allowed_origins == []
    assert settings.max_body_bytes == 1_000_000
