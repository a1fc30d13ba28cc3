"""examples/client.py against the local server. Yours, like the client."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples import client as program
from examples.client import Client
from examples.endpoint import EndpointError


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PAUSE", 0.05)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of the local server, which serves what is deployed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = "from myapi.serve import main; main()"
    command = [sys.executable, "-c", program, "--port", str(port)]
    variables = {
        "EVENTS_SECONDS": "0.2",
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


def test_a_job_is_followed_from_stream_to_stream(client: Client) -> None:
    job = client.start(["one two three", "four", "five"], pause=0.7)
    seen = [progress["done"] for progress in client.follow(job["id"])]
    assert seen == [1, 2, 3]
    assert client.result(job["id"]) == {"words": [3, 1, 1]}
    assert client.job(job["id"])["status"] == "done"


def test_the_same_key_starts_one_job(client: Client) -> None:
    assert client.start(["one"], key="a")["id"] == client.start(["one"], key="a")["id"]
    assert client.start(["one"])["id"] != client.start(["one"])["id"]
    with pytest.raises(EndpointError, match=r"422 .*Idempotency-Key"):
        client.start(["two"], key="a")


def test_a_job_that_fails_says_why(client: Client) -> None:
    job = client.start(["one", " "])
    with pytest.raises(EndpointError, match="failed: Text 2 has no words"):
        client.result(job["id"])


def test_a_job_is_cancelled(client: Client) -> None:
    job = client.start(["one"] * 100, pause=0.1)
    assert client.cancel(job["id"])
    assert client.cancel(job["id"])
    with pytest.raises(EndpointError, match="cancelled: no result"):
        client.result(job["id"])
    done = client.start(["one"])
    client.result(done["id"])
    assert not client.cancel(done["id"])
    with pytest.raises(EndpointError, match="404 No such job"):
        client.cancel("nothing")


class Server(ThreadingHTTPServer):
    """Gives these answers in their order, and breaks off where there is none; `seen` are headers of the requests."""

    def __init__(self, *answers: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.seen: list[tuple[str, str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if length := int(self.headers.get("Content-Length", 0)):
            self.rfile.read(length)
        key, last = self.headers.get("Idempotency-Key", ""), self.headers.get("Last-Event-ID", "")
        self.server.seen.append((self.command, key, last))
        answer = self.server.answers.pop(0) if self.server.answers else b""
        status, _, body = answer.partition(b" ")
        if status:
            self.send_response(int(status))
            is_json = body.startswith(b"{")
            self.send_header("Content-Type", "application/json" if is_json else "text/event-stream")
            self.send_header("Content-Length", str(len(body) + (not is_json and status != b"204")))
            self.end_headers()
            self.wfile.write(body)
        self.close_connection = True

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def served(*answers: bytes) -> Iterator[tuple[Client, Server]]:
    with Server(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            with Client(f"http://127.0.0.1:{server.server_port}", patience=2) as client:
                yield client, server
        finally:
            server.shutdown()


def test_what_got_no_answer_is_sent_again_with_its_key() -> None:
    with served(b"", b"", b'202 {"id": "1"}') as (client, server):
        assert client.start(["one"])["id"] == "1"
    assert [method for method, _, _ in server.seen] == ["POST"] * 3
    assert len({key for _, key, _ in server.seen}) == 1
    assert server.seen[0][1]
    with served() as (client, server), pytest.raises(EndpointError, match="no whole answer"):
        client.start(["one"])
    assert len(server.seen) == program.TIMES


def test_a_stream_that_breaks_goes_on_where_it_was() -> None:
    first = b'200 id: 1\nevent: progress\ndata: {"done": 1}\n\nid: 2\nevent: progress\ndata: {"do'
    second = b'200 id: 2\nevent: progress\ndata: {"done": 2}\n\n'
    with served(first, second, b"204 ") as (client, server):
        assert [progress["done"] for progress in client.follow("1")] == [1, 2]
    assert [last for _, _, last in server.seen] == ["", "1", "2"]
    with (
        served(b'404 {"detail": "No such job"}') as (client, server),
        pytest.raises(EndpointError, match="404 No such job"),
    ):
        list(client.follow("1"))
