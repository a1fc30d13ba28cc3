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


def test_classify(client: Client) -> None:
    good, bad = client.classify(["good and great", "awful"])
    assert (good["label"], good["score"]) == ("positive", 0.75)
    assert bad["label"] == "negative"
    assert sum(bad["scores"].values()) == pytest.approx(1)


def test_more_texts_than_one_request_takes(client: Client) -> None:
    found = client.classify(["good", "bad"] * 300)
    assert [each["label"] for each in found] == ["positive", "negative"] * 300
    assert client.classify([]) == []


def test_it_says_what_it_finds(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    main(client)
    assert capsys.readouterr().out == (
        "What a great day: positive (0.67)\nI hate to wait: negative (0.67)\n"
    )


def test_what_is_refused_is_said(client: Client) -> None:
    with pytest.raises(EndpointError, match=r"^POST /classify: 422 .*texts"):
        client.classify([""])
