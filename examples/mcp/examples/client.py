"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from mcp import Client as Connection
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from .endpoint import TIMEOUT, Endpoint, EndpointError, name_of

PATH = "/mcp"


class Client(Endpoint):
    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """The SDK's client of the server, once a container is there.

        Raises:
            EndpointError: when none comes in time, the caller is turned away, or the line breaks.
        """
        await asyncio.to_thread(self._knock)
        try:
            async with (
                httpx2.AsyncClient(headers=self.headers, timeout=TIMEOUT) as http,
                Connection(streamable_http_client(f"{self.url}{PATH}", http_client=http)) as server,
            ):
                yield server
        except (ExceptionGroup, MCPError, httpx2.TransportError) as error:
            reason = innermost(error)
            if isinstance(reason, MCPError | httpx2.TransportError):
                raise EndpointError(f"{PATH}: {name_of(reason)}") from reason
            raise reason from None

    def _knock(self) -> None:
        """Wait for a container. The SDK waits for none, and does not say why a caller is turned away."""
        try:
            self.request("GET", PATH)
        except EndpointError as answer:
            if answer.status != 405:  # only POST is taken: who reads this may call
                raise


async def use(server: Connection, tool: str, **arguments: Any) -> Any:
    """Call a tool once, and return its structured answer.

    Raises:
        EndpointError: when it says that it failed.
    """
    result = await server.call_tool(tool, arguments)
    if result.is_error:
        reasons = [part.text for part in result.content if isinstance(part, TextContent)]
        raise EndpointError(f"{tool}: {' '.join(reasons)}")
    return result.structured_content


def innermost(error: Exception) -> Exception:
    """What was raised: the SDK's task groups wrap even what comes out of the `async with` block around it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def main(client: Client) -> None:
    async with client.connect() as server:
        print([tool.name for tool in (await server.list_tools()).tools])
        print(await use(server, "shorten", text="a longer sentence than the limit", max_words=3))
        print((await server.read_resource("catalog://items/2")).contents)


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            asyncio.run(main(client))
    except EndpointError as error:
        sys.exit(str(error))
