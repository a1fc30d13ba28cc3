"""examples/client.py against the local server. Yours, like the client."""

import asyncio
import contextlib
import functools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request

import examples.client
from examples.client import Client
from examples.endpoint import EndpointError

TOKEN = "test-" + "0" * 32


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of the local server, which serves what is deployed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = "from myapi.serve import main; main()"
    command = [sys.executable, "-c", program, "--port", str(port)]
    variables = {
        "API_TOKENS": f"tests:{TOKEN}",
    }
    server = subprocess.Popen(command, env=os.environ | variables)
    late = threading.Timer(30, server.terminate)  # whatever happens, it ends
    late.start()
    try:
        with Client(url, {"Authorization": f"Bearer {TOKEN}"}, patience=20) as client:
            yield client
    finally:
        late.cancel()
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples.client, "PAUSES", (0, 0, 0))


async def say(client: Client, *messages: str) -> list[str]:
    async with client.conversation() as conversation:
        return [await conversation.say(message) for message in messages]


def test_it_is_answered(client: Client) -> None:
    answers = asyncio.run(say(client, "hello", '{"temperature": 21.5}'))
    assert answers == ["Echo: hello", '{"type":"echo","message":{"temperature":21.5}}']


def test_what_is_too_large_is_said(client: Client) -> None:
    with pytest.raises(EndpointError, match=r"^/ws: .*1009"):
        asyncio.run(say(client, "x" * 1_500_000))


def test_a_stranger_is_told_so(client: Client) -> None:
    with (
        Client(str(client.url), {"Authorization": "Bearer wrong"}, patience=5) as stranger,
        pytest.raises(EndpointError, match="401 Missing or unknown token"),
    ):
        asyncio.run(say(stranger, "hello"))


async def meet(
    end: Callable[[int], int | None], patience: float = 2, start: float = 0
) -> tuple[list[str], int]:
    """Say two things to a server that closes a socket with what `end` says of each message, 0 for silence.

    It takes `start` seconds to let in who knocks.

    Returns:
        The answers, and how many messages the server heard.
    """
    heard = 0

    async def answer(socket: ServerConnection) -> None:
        nonlocal heard
        async for message in socket:
            heard += 1
            code = end(heard)
            if code:
                await socket.close(code, "because")
            elif code is None:
                await socket.send('{"type":"ping"}')
                await socket.send(f"{message!s}, {heard}")

    async def let_in(_socket: ServerConnection, _request: Request) -> None:
        await asyncio.sleep(start)

    async with serve(answer, "127.0.0.1", 0, process_request=let_in) as server:
        (listener,) = server.sockets
        url = "http://{}:{}".format(*listener.getsockname())
        async with asyncio.timeout(3):  # whatever happens, it ends
            with Client(url, patience=patience) as client:
                return await say(client, "a", "b"), heard


@pytest.mark.parametrize("code", [1000, 1011, 1012])
def test_a_socket_that_ends_is_followed_by_another(code: int) -> None:
    answers, heard = asyncio.run(meet(lambda number: code if number in {1, 3} else None))
    assert (answers, heard) == (["a, 2", "b, 4"], 4)


def test_a_container_may_take_its_time_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own limit of ten seconds would be a tenth of one here."""
    hasty = functools.partial(connect, open_timeout=0.1)
    monkeypatch.setattr(examples.client, "connect", hasty)
    answers, _ = asyncio.run(meet(lambda _: None, start=0.4))
    assert answers == ["a, 1", "b, 2"]


def test_sockets_that_all_end_are_no_reason_to_go_on() -> None:
    with pytest.raises(EndpointError, match=r"no answer after 3 sockets, .*because"):
        asyncio.run(meet(lambda _: 1011))


def test_what_the_server_refuses_is_not_said_again() -> None:
    with pytest.raises(EndpointError, match=r"1008 .*because"):
        asyncio.run(meet(lambda number: 1008 if number == 1 else None))


def test_a_silent_server_is_not_waited_for_longer_than_it_may() -> None:
    with pytest.raises(EndpointError, match=r"no answer in 0\.2 s"):
        asyncio.run(meet(lambda _: 0, patience=0.2))
