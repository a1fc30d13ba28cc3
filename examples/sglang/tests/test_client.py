"""examples/client.py against the local server. Yours, like the client."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples.client import Client
from examples.endpoint import EndpointError


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of the local server, which serves what is deployed, but for the model: an echo answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = "from myapi.serve import main; main()"
    command = [sys.executable, "-c", program, "--port", str(port)]
    variables = {
        "MODELS_DIR": os.devnull,
    }
    server = subprocess.Popen(command, env=os.environ | variables)
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


def test_its_model_has_a_name(client: Client) -> None:
    assert client.model()


def test_chat(client: Client) -> None:
    assert client.chat("one two three", max_tokens=2) == "one two"


def test_stream(client: Client) -> None:
    pieces = list(client.stream("one two three"))
    assert "".join(pieces) == "one two three"
    assert len(pieces) >= 3


def test_what_is_refused_is_said(client: Client) -> None:
    with pytest.raises(EndpointError, match=r"^POST /v1/chat/completions: 404 .*another"):
        client.chat("one", model="another")
    with pytest.raises(EndpointError, match=r"^POST /v1/chat/completions: 400 "):
        list(client.stream("one", messages=[]))


class Server(ThreadingHTTPServer):
    """Answers with this body, one byte at a time, then hangs up; at a zero it waits until something is taken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = b""
        self.taken = threading.Event()

    def client(self, body: str) -> Client:
        self.body = body.encode()
        return Client(f"http://127.0.0.1:{self.server_port}", patience=5)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for byte in self.server.body:
            if byte:
                self.wfile.write(bytes([byte]))
            elif not self.server.taken.wait(3):
                return

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def event(text: str) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n"


DONE = "data: [DONE]\n\n"


def test_pieces_are_there_as_they_come(server: Server) -> None:
    with server.client(event("a") + "\0" + event("b") + DONE) as client:
        pieces = client.stream("x")
        assert next(pieces) == "a"
        server.taken.set()
        assert list(pieces) == ["b"]


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "broke off"),
        ("data: [DO", "broke off"),
        ('data: {"error": {"message": "out of memory", "code": 500}}\n\n', "out of memory"),
    ],
)
def test_a_stream_that_fails_is_not_taken_for_whole(
    server: Server, rest: str, message: str
) -> None:
    found: list[str] = []
    with (
        server.client(event("a") + rest) as client,
        pytest.raises(EndpointError, match=message),
    ):
        found.extend(client.stream("x"))
    assert found == ["a"]
