"""A server that is quick to start, and brings a process of its own that must not be left behind."""

import socket
import sys

import pytest

SERVER = """
import http.server, os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
address = os.environ["HOST"], int(os.environ["PORT"])
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def server() -> list[str]:
    return [sys.executable, "-c", SERVER]


@pytest.fixture(scope="session")
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
