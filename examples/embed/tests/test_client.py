"""examples/client.py against the local server. Yours, like the client."""

import contextlib
import math
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from examples.client import Client, main, nearest
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


def test_embed(client: Client) -> None:
    vectors = client.embed(["The sea", "is wide"])
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1, 1])
    assert [len(vector) for vector in client.embed(["The sea"], dimensions=3)] == [3]


def test_more_texts_than_one_request_takes(client: Client) -> None:
    texts = [f"number {index % 7}" for index in range(600)]
    vectors = client.embed(texts)
    assert len(vectors) == 600
    assert vectors[:7] * 85 + vectors[:5] == vectors
    assert client.embed([]) == []


def test_the_nearest(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert nearest([1.0, 0.0], [[0.0, 1.0], [0.8, 0.6], [-1.0, 0.0]]) == 1
    main(client)
    assert capsys.readouterr().out == "The sea is wide and blue\n"


def test_what_is_refused_is_said(client: Client) -> None:
    with pytest.raises(EndpointError, match=r"^POST /embed: 422 .*dimensions"):
        client.embed(["one"], dimensions=-1)
