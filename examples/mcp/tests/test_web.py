"""The application that is deployed, called as its clients call it."""

import contextlib
import itertools
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import TextContent
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message

from myapi import handlers, modal_app
from myapi.logs import JsonFormatter

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
PAGE = {"Origin": "https://page.example.com"}
NEWEST = "2026-07-28"  # of the protocol's versions; before it a client shook hands first


async def is_ready() -> bool:
    return True


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server and settings of these tests in place of yours, which may be anything."""
    monkeypatch.setattr(handlers, "server", make_server())
    monkeypatch.setattr(handlers, "is_ready", is_ready)
    monkeypatch.setenv("ALLOWED_ORIGINS", "[]")
    monkeypatch.setenv("MAX_BODY_BYTES", "1000000")
    monkeypatch.setenv("REQUEST_SECONDS", "5")  # whatever happens, it ends


def make_server() -> MCPServer:
    server = MCPServer("tests", subscriptions=False)

    @server.tool()
    async def double(number: int, context: Context) -> int:
        await context.report_progress(1, 2)
        return 2 * number

    @server.tool()
    def echo(text: str) -> str:
        return text

    @server.tool()
    def fail() -> int:
        raise KeyError("secret detail")

    @server.tool()
    def refuse() -> int:
        raise ToolError("not on a Sunday")

    @server.resource("broken://{name}")
    def broken(name: str) -> str:
        raise KeyError("secret detail")

    @server.prompt()
    def ask() -> str:
        raise KeyError("secret detail")

    @server.custom_route("/broken", methods=["GET"])
    async def broken_route(_: Request) -> Response:
        raise KeyError("secret detail")

    return server


class Instances(httpx2.AsyncBaseTransport):
    """Several containers, to which requests go in turn."""

    def __init__(self, number: int) -> None:
        self.apps = [modal_app.web.local() for _ in range(number)]
        self.turns = itertools.cycle([httpx2.ASGITransport(app) for app in self.apps])
        self.requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        return await next(self.turns).handle_async_request(request)


@contextlib.asynccontextmanager
async def connect(
    headers: Mapping[str, str], mode: str = "auto", instances: int = 1
) -> AsyncIterator[tuple[Client, Instances]]:
    """The SDK's client of so many containers, and these."""
    transport = Instances(instances)
    async with contextlib.AsyncExitStack() as stack:
        for app in transport.apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, headers=headers)
        )
        server = streamable_http_client("http://mcp.example.com/mcp", http_client=http)
        yield await stack.enter_async_context(Client(server, mode=mode)), transport


def text_of(result: Any) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def message(answer: httpx2.Response) -> dict[str, Any]:
    """The answer of the protocol, alone or as the one event of a stream."""
    lines = answer.text.splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    (document,) = [json.loads(each) for each in data or lines]
    assert isinstance(document, dict)
    return document


def modern(method: str, **params: Any) -> dict[str, Any]:
    """A request of the newest protocol, as arguments of `client.post`."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": NEWEST, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    return {"headers": headers, "json": document}


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_any_container_answers_any_request(caller: dict[str, str], mode: str) -> None:
    seen = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    async with connect(caller, mode, instances=3) as (mcp, containers):
        for number in range(6):
            arguments = {"number": number}
            result = await mcp.call_tool("double", arguments, progress_callback=note)
            assert result.structured_content == {"result": 2 * number}
        assert "double" in {tool.name for tool in (await mcp.list_tools()).tools}
    assert containers.requests >= 7
    assert seen == [(1, 2)] * 6


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_went_wrong_inside_is_said_to_nobody(
    caller: dict[str, str], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(caller, mode) as (mcp, _):
        failed = await mcp.call_tool("fail", {})
        assert failed.is_error
        said = [text_of(failed)]
        with pytest.raises(MCPError) as no_resource:
            await mcp.read_resource("broken://one")
        with pytest.raises(MCPError) as no_prompt:
            await mcp.get_prompt("ask")
        said += [str(no_resource.value), str(no_prompt.value)]
    assert not [text for text in said if "secret" in text or "Traceback" in text]
    assert caplog.text.count("secret detail") >= 3


@pytest.mark.anyio
async def test_a_tool_says_what_it_means_to_say(caller: dict[str, str]) -> None:
    async with connect(caller) as (mcp, _):
        refused = await mcp.call_tool("refuse", {})
        unknown = await mcp.call_tool("nothing", {})
        wrong = await mcp.call_tool("double", {"number": "many"})
    assert "not on a Sunday" in text_of(refused)
    assert "nothing" in text_of(unknown)
    assert "valid integer" in text_of(wrong)
    assert refused.is_error
    assert unknown.is_error
    assert wrong.is_error


def test_plain_answers_are_json(client: TestClient) -> None:
    request = modern("tools/call", name="echo", arguments={"text": "hé 😀"})
    answer = client.post("/mcp", **request)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["result"]["structuredContent"] == {"result": "hé 😀"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
def test_there_is_no_session(client: TestClient, method: str) -> None:
    headers = {"Accept": "text/event-stream", "Mcp-Session-Id": "1"}
    answer = client.request(method, "/mcp", headers=headers)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert "Mcp-Session-Id" not in client.post("/mcp", json=PING).headers


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", -32700),
        ("{", -32700),
        ("\ud800".encode("utf-8", "surrogatepass"), -32700),
        ("[" * 9999, -32700),
        ("{}", -32602),
        ("1", -32602),
        ('{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32602),
        (json.dumps([PING, PING]), -32602),  # no batches since 2025-06-18
        (json.dumps(PING | {"method": "no/method"}), -32601),
    ],
)
def test_what_is_not_of_the_protocol_is_refused(
    client: TestClient, content: str | bytes, code: int
) -> None:
    answer = client.post("/mcp", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == (200 if code == -32601 else 400)
    assert message(answer)["error"]["code"] == code


def test_the_newest_protocol_is_as_strict(client: TestClient) -> None:
    for refused, status, code in (
        (modern("no/method"), 404, -32601),
        (modern("subscriptions/listen", notifications={}), 404, -32601),
        # Not what the headers say, and a batch.
        (modern("tools/list") | {"json": modern("prompts/list")["json"]}, 400, -32020),
        (modern("tools/list") | {"json": [PING]}, 400, -32600),
    ):
        answer = client.post("/mcp", **refused)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    unknown = modern("tools/list")
    unknown["headers"]["MCP-Protocol-Version"] = "1999-01-01"
    answer = client.post("/mcp", **unknown)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Accept", "text/html", 406),
        ("Accept", "application/json", 406),  # an answer may be a stream
        ("Accept", "application/json, text/event-stream", 200),
        ("Content-Type", "text/plain", 400),
        ("MCP-Protocol-Version", "1999-01-01", 400),
        ("MCP-Protocol-Version", "2025-06-18", 200),
    ],
)
def test_headers_of_the_protocol(client: TestClient, name: str, value: str, status: int) -> None:
    headers = {"Content-Type": "application/json", name: value}
    answer = client.post("/mcp", content=json.dumps(PING), headers=headers)
    assert answer.status_code == status


def test_a_notification_is_taken(client: TestClient) -> None:
    for notification in ("notifications/initialized", "notifications/cancelled"):
        answer = client.post("/mcp", json={"jsonrpc": "2.0", "method": notification})
        assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize(
    "headers",
    [
        PAGE,
        {"Origin": "null"},
        {"Origin": "http://localhost:6274"},
        {"Origin": "http://evil.example.com:8000", "Host": "evil.example.com:8000"},  # rebinding
    ],
)
def test_no_page_may_call_unless_it_is_allowed(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/mcp", json=PING, headers=headers)
    assert answer.status_code == 403
    assert "ALLOWED_ORIGINS" in answer.json()["detail"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.post("/mcp", json=PING).status_code == 200, "a program may"


@pytest.mark.parametrize("allowed", [PAGE["Origin"], "*"])
def test_a_page_that_is_allowed_may_call(
    caller: dict[str, str], monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", json.dumps([allowed]))
    ask = PAGE | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, mcp-method",
    }
    with TestClient(modal_app.web.local()) as client:
        for answer in (
            client.options("/mcp", headers=ask),
            client.post("/mcp", json=PING, headers=PAGE | caller),
        ):
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == allowed
        if allowed != "*":
            other = {"Origin": "https://other.example.com"} | caller
            assert client.post("/mcp", json=PING, headers=other).status_code == 403


def test_health_and_readiness(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health").json() == {"status": "healthy"}
    assert client.get("/ready").json() == {"status": "ready"}

    async def not_ready() -> bool:
        return False

    monkeypatch.setattr(handlers, "is_ready", not_ready)
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_other_errors_are_json(client: TestClient) -> None:
    nowhere = client.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()) == (404, {"detail": "Not Found"})
    assert client.post("/health").json() == {"detail": "Method Not Allowed"}
    broken = client.get("/broken")
    assert (broken.status_code, broken.json()) == (500, {"detail": "Internal server error"})


def test_a_large_body_is_refused(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b" " * 600_000] * 2

    for content in (b" " * 1_000_001, chunks()):  # announced, and not
        answer = client.post("/mcp", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json() == {"detail": "Content Too Large"}


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["2025-06-18", NEWEST])
async def test_who_leaves_in_the_middle_is_no_error(
    caller: dict[str, str], caplog: pytest.LogCaptureFixture, version: str
) -> None:
    fields = {"content-type": "application/json", "accept": "*/*", "mcp-protocol-version": version}
    headers = [(name.lower().encode(), text.encode()) for name, text in (fields | caller).items()]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    messages = iter([{"type": "http.request", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    app = modal_app.web.local()
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_each_answer_and_log_line_has_the_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    request = modern("tools/call", name="fail", arguments={})
    request["headers"] |= {"X-Request-ID": "abc-123"}
    answer = client.post("/mcp", **request)
    assert answer.headers["X-Request-ID"] == "abc-123"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/mcp", 200)
    (failure,) = [line for line in lines if "secret detail" in line.get("exception", "")]
    assert line["request_id"] == failure["request_id"] == "abc-123"


def test_the_log_is_written_once(caller: dict[str, str]) -> None:
    """The SDK writes it to standard error as well where its server is made too early."""
    program = """
import logging
from myapi import modal_app

modal_app.web.local()
logging.getLogger().info("to be seen")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    (line,) = run.stdout.splitlines()
    assert json.loads(line)["message"] == "to be seen"
    assert run.stderr == ""
