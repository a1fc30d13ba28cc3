"""examples/client.py against the local server. Yours, like the client."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from examples import endpoint
from examples.client import Client, use
from examples.endpoint import EndpointError


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of the local server, which serves what is deployed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = "from myapi.serve import main; main()"
    command = [sys.executable, "-c", program, "--port", str(port)]
    server = subprocess.Popen(command)
    late = threading.Timer(30, server.terminate)  # whatever happens, it ends
    late.start()
    try:
        with Client(url, patience=20) as client:
            yield client
    finally:
        late.cancel()
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    async with asyncio.timeout(60), client.connect() as server:  # whatever happens, it ends
        return await use(server, tool, **arguments)


def test_a_tool_answers(client: Client) -> None:
    answer = asyncio.run(call(client, "shorten", text="one two three", max_words=2))
    assert answer == {"text": "one two", "words": 2}


def test_a_tool_that_fails_says_why(client: Client) -> None:
    with pytest.raises(EndpointError, match=r"^count_words: .*Text 1 has no words"):
        asyncio.run(call(client, "count_words", texts=[" "]))


class Server(ThreadingHTTPServer):
    """Gives GET these answers in their order, and to POST none; `seen` are the requests."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.seen: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(self.command)
        self.send_response(self.server.answers.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.server.seen.append(self.command)
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


def meet(monkeypatch: pytest.MonkeyPatch, *answers: int) -> tuple[str, list[str]]:
    """Call such a server; what the client says, and the requests that came."""
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    with Server(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            with (
                Client(f"http://127.0.0.1:{server.server_port}", patience=2) as client,
                pytest.raises(EndpointError) as raised,
            ):
                asyncio.run(call(client, "shorten", text="one"))
        finally:
            server.shutdown()
    return str(raised.value), server.seen


def test_it_waits_for_a_container_and_says_that_the_line_broke(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, seen = meet(monkeypatch, 503, 429, 405)
    assert seen == ["GET", "GET", "GET", "POST"]
    assert said.startswith("/mcp: ")


def test_who_is_not_let_in_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said, seen = meet(monkeypatch, 401)
    assert seen == ["GET"]
    assert "401" in said
