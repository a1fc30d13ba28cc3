"""The server beside Modal's own code: it starts, ends when it is told, and never goes unnoticed."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection

import pytest
from fastapi import FastAPI

from myapi import modal_app
from myapi.background import Background

# A server that ends by itself a moment after its start.
ENDS = """
import sys, threading, time
from fastapi import FastAPI
from myapi.background import Background
app = FastAPI()
async def drain(): pass
app.state.drain = drain
background = Background(app, int(sys.argv[1]))
threading.Timer(0.2, lambda: setattr(background._server, "should_exit", True)).start()
time.sleep(20)
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as lease:
        lease.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        lease.bind(("0.0.0.0", 0))  # noqa: S104 (where the server will listen)
        yield lease.getsockname()[1]


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def answer() -> str:
        return "here"

    app.state.drain = drain
    return app


async def drain() -> None:
    pass


def ask(port: int, path: str = "/") -> bytes:
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def test_it_answers_as_soon_as_it_is_there_and_until_it_is_told_to_stop(
    app: FastAPI, port: int
) -> None:
    background = Background(app, port)
    assert ask(port) == b'"here"'
    background.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(port)


def test_a_port_that_is_taken_is_an_error(app: FastAPI) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 (as above)
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            Background(app, taken.getsockname()[1])


def test_an_application_that_does_not_start_is_an_error(port: int) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise ValueError("nothing works")
        yield

    broken = FastAPI(lifespan=lifespan)
    broken.state.drain = drain
    with pytest.raises(RuntimeError, match="does not start"):
        Background(broken, port)


def test_without_its_server_a_container_ends(port: int) -> None:
    command = [sys.executable, "-c", ENDS, str(port)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert "the server ended by itself" in ended.stderr + ended.stdout


def test_what_a_container_starts_answers_and_ends(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setattr(modal_app, "PORT", port)  # its own may be taken here
    monkeypatch.setenv("API_TOKENS", "tests:test-" + "0" * 32)
    container = modal_app.Lifecycle()
    container.start()
    try:
        assert ask(port, "/ready") == b'{"status":"ready"}'
    finally:
        container.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(port)
