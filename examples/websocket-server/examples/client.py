"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import asyncio
import sys
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .endpoint import Endpoint, EndpointError

PING = '{"type":"ping"}'
LARGEST = 2 * 1024 * 1024  # bytes of a message, as Modal's
FINAL = {1003, 1007, 1008, 1009}  # the socket was closed because of what this client sent
PAUSES = (0, 0.5, 1, 2, 4)  # seconds before each socket


class Client(Endpoint):
    def conversation(self) -> "Conversation":
        return Conversation(self)


class Conversation:
    """Talks over a socket, and opens another where one ends."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave()

    async def say(self, message: str) -> str:
        """Send a message, and return the next one that comes and is no ping.

        Where the socket ends before that, the message is sent again over another: it may arrive twice.

        Raises:
            EndpointError: when no socket opens, each ends at once, or nobody answers.
        """
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._endpoint.patience):
                    return await self._exchange(message)
            except TimeoutError as error:
                await self._leave()
                raise EndpointError(f"/ws: no answer in {self._endpoint.patience:g} s") from error
            except ConnectionClosed as error:
                await self._leave()
                if error.rcvd and error.rcvd.code in FINAL:
                    raise EndpointError(f"/ws: {error}") from error
                problem = str(error)
            except (OSError, WebSocketException) as error:
                await self._explain()
                problem = str(error)
        raise EndpointError(f"/ws: no answer after {len(PAUSES)} sockets, {problem}")

    async def _exchange(self, message: str) -> str:
        if self._socket is None:
            self._socket = await connect(
                str(self._endpoint.url).replace("http", "ws", 1) + "/ws",
                additional_headers=self._endpoint.headers,
                max_size=LARGEST,
                open_timeout=None,  # a container may have to start: patience is the limit
            )
        await self._socket.send(message)
        while (answer := await self._socket.recv(decode=True)) == PING:
            pass
        return answer

    async def _explain(self) -> None:
        """Raise why no socket opened, which Modal passes on to plain requests only; wait where all were taken."""
        try:
            await asyncio.to_thread(self._endpoint.request, "GET", "/ws")
        except EndpointError as reason:
            if reason.status != 400:  # or one would open now
                raise

    async def _leave(self) -> None:
        if self._socket:
            await self._socket.close()
        self._socket = None


async def main(client: Client) -> None:
    async with client.conversation() as conversation:
        print(await conversation.say("hello"))
        print(await conversation.say('{"temperature": 21.5}'))


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            asyncio.run(main(client))
    except EndpointError as error:
        sys.exit(str(error))
