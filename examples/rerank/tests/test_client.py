"""examples/client.py against the local server. Yours, like the client."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from examples.client import Client, main
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


def test_rerank(client: Client) -> None:
    found = client.rerank("the blue sea", ["nothing", "a blue sea", "the blue sea", "blue"])
    assert [each["index"] for each in found] == [2, 1, 3, 0]
    assert found[0]["relevance_score"] == 1
    assert [each["index"] for each in client.rerank("sea", ["sky", "sea"], top_n=1)] == [1]


def test_it_says_what_it_finds(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    main(client)
    assert capsys.readouterr().out == "1.00 The sea is wide and blue\n0.67 Ships cross the sea\n"


def test_what_is_refused_is_said(client: Client) -> None:
    with pytest.raises(EndpointError, match=r"^POST /rerank: 422 .*documents"):
        client.rerank("sea", [])
