"""The local server's command line."""

import json
import socket
import subprocess
import sys

from fastapi.testclient import TestClient


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from myapi.serve import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = serve("--port", str(taken.getsockname()[1]))
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert "cannot listen on 127.0.0.1" in line


def test_an_unknown_option_says_what_there_is() -> None:
    run = serve("--prot", "1")
    assert run.returncode == 2
    assert "--port" in run.stderr


def test_the_openapi_document_is_the_one_that_is_served(client: TestClient) -> None:
    run = serve("openapi")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == client.get("/openapi.json").json()
