"""The engine from inside its container: its health, its gate and its warm-up. Knows nothing of Modal."""

import contextlib
import json
import os
import secrets
import time
from http.client import HTTPConnection, HTTPException

from .gate import CLOSED, KEY
from .process import Process, ServerError

WARM_UP = "/v1/completions"
# For an answer that comes at once, and for one that kernels are built for.
SECONDS, LONG_SECONDS = 10, 600


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
                said = str(self.ask("GET", "/health", os.environ[KEY]))
            time.sleep(0.1)

    def check_gate(self) -> None:
        """Raise ServerError when strangers reach the engine past gate.py, which one of its options may do."""
        if self.ask("GET", CLOSED) == 200:
            raise ServerError(f"{CLOSED}: 200 for a stranger, gate.py is not in front of it")

    def warm_up(self) -> None:
        """Answer one request, so that nobody waits for what is made at the first. A model that does not write refuses it."""
        self.demand(WARM_UP, 400, 404, prompt="Say one word.", max_tokens=8)

    def demand(self, path: str, *fine: int, **body: object) -> None:
        """Raises ServerError unless the answer is 200, or one of these."""
        try:
            status = self.ask("POST", path, os.environ[KEY], body, LONG_SECONDS)
        except (OSError, HTTPException) as error:
            self.process.check()
            raise ServerError(f"{path}: no answer, {error or type(error).__name__}") from error
        if status not in (200, *fine):
            raise ServerError(f"{path}: {status}, not 200")

    def ask(
        self, method: str, path: str, key: str = "", body: object = None, seconds: float = SECONDS
    ) -> int:
        """The status of an answer, which is read whole; without the key as a stranger gets it."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=seconds)) as line:
            line.request(method, path, None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            answer.read()
            return answer.status
