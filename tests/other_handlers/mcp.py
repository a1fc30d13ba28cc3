"""Other tools: none of the starter's names but those that the application needs."""

from mcp.server import MCPServer
from pydantic import BaseModel

server = MCPServer("orders")


class Order(BaseModel):
    number: int
    paid: bool = False


@server.tool()
async def find(number: int) -> Order:
    return Order(number=number)


async def is_ready() -> bool:
    return True
