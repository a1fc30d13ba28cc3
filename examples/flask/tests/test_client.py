"""examples/client.py against the local server. Yours, like the client."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from examples.client import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of the local server, which serves what is deployed."""
    program = "from myapi.serve import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-u", "-c", program, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    late = threading.Timer(60, server.kill)  # whatever happens, it ends
    late.start()
    with server:
        assert server.stdout
        line = next(line for line in server.stdout if " at http://" in line)
        url = re.findall(r"http://[\d.:]+", line)[0]
        with Client(url) as client:
            yield client
        server.terminate()
    late.cancel()


def test_predict(client: Client) -> None:
    assert client.predict("one two three", max_length=2) == {"result": "one two", "tokens": 2}
