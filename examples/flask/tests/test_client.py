"""examples/client.py against the local server. Yours, like the client."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from examples.client import Client


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


def test_predict(client: Client) -> None:
    assert client.predict("one two three", max_length=2) == {"result": "one two", "tokens": 2}
