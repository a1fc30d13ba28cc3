"""What this server offers. Yours: the template never changes this file after it wrote it.

A tool acts, a resource is read, a prompt is a text that people choose: https://py.sdk.modelcontextprotocol.io
What a tool raises as ToolError, or a resource as ResourceError, its caller is told; of any other exception
only that it failed, and the log has the rest.
"""

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

server = MCPServer(
    __package__,
    instructions="Shortens texts and counts their words. The catalog lists the items there are.",
    # They would hold a stream open, and its container paid, for as long as a client is there.
    subscriptions=False,
)
READS = ToolAnnotations(read_only_hint=True)  # a client need not ask before it calls such a tool

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Shortened(BaseModel):
    text: str
    words: int = Field(description="Words that are left")


class Item(BaseModel):
    item_id: int
    name: str


ITEMS = {1: "first item", 2: "second item"}


# A plain `def` runs in a thread and may block; use `async def` where you await something.
@server.tool(annotations=READS)
def shorten(
    text: Text,
    max_words: Annotated[int, Field(ge=1, le=1_000, description="Most words that are left")] = 100,
) -> Shortened:
    """Shorten a text to its first words."""
    words = text.split()[:max_words]
    return Shortened(text=" ".join(words), words=len(words))


@server.tool(annotations=READS)
async def count_words(
    texts: Annotated[list[Text], Field(min_length=1, max_length=100)], context: Context
) -> list[int]:
    """Count the words of each text."""
    counts = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise ToolError(f"Text {number} has no words")
        counts.append(len(text.split()))
        await context.report_progress(number, len(texts))
    return counts


@server.resource("catalog://items", mime_type="application/json")
def items() -> list[Item]:
    """All items."""
    return [Item(item_id=item_id, name=name) for item_id, name in ITEMS.items()]


@server.resource("catalog://items/{item_id}", mime_type="application/json")
def item(item_id: int) -> Item:
    """One item."""
    if item_id not in ITEMS:
        raise ResourceNotFoundError(f"There is no item {item_id}")
    return Item(item_id=item_id, name=ITEMS[item_id])


@server.prompt()
def summarize(text: str, sentences: int = 2) -> str:
    """Ask for a summary."""
    return f"Summarize this text in {sentences} sentences:\n\n{text}"


async def is_ready() -> bool:
    """Tell `/ready` whether requests can be answered now: a database is reachable, a cache is warm."""
    return True
