"""The engine from inside its container: its health. Knows nothing of Modal."""

import contextlib
import os
import secrets
import time
from http.client import HTTPConnection, HTTPException

from .gate import HEADER, KEY
from .process import Process, ServerError

# For one answer.
SECONDS = 10


def make_key() -> None:
    """Before the engine is started: only what was started with it knows the key."""
    os.environ[KEY] = secrets.token_hex(32)


class Control:
    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    def wait_until_healthy(self, seconds: float) -> None:
        """Return when `/health` answers 200: the port alone may be open long before.

        Raises:
            ServerError: as soon as the process ends, or when the time is over.
        """
        deadline = time.monotonic() + seconds
        self.process.wait_until_ready(seconds)
        said = "nothing"
        while said != "200":
            self.process.check()
            if time.monotonic() > deadline:
                raise ServerError(f"/health answers {said}, not 200, after {seconds:g} seconds")
            with contextlib.suppress(OSError, HTTPException):
                said = str(self.ask("GET", "/health"))
            time.sleep(0.1)

    def ask(self, method: str, path: str) -> int:
        """The status of an answer, which is read whole."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as line:
            line.request(method, path, headers={HEADER.decode(): os.environ[KEY]})
            answer = line.getresponse()
            answer.read()
            return answer.status
