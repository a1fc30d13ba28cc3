"""Runs jobs in threads of this process, which forgets them when it ends. Not used on Modal."""

import logging
import secrets
import threading
import time
from concurrent.futures import Future
from typing import Any

from .jobs import FAILED, Crashed, Outcome, perform
from .progress import Cancelled
from .webhook import NotTold, tell

AT_ONCE = 4  # jobs; more wait
PAUSES = (1, 2, 4, 8, 16, 32, 60, 60, 60, 60)  # seconds before a webhook is told again
log = logging.getLogger(__name__)


class LocalNotes:
    """Notes in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        with self._lock:
            return self._values.get(key, default)

    def put(self, key: str, value: Any, *, skip_if_exists: bool = False) -> bool:
        with self._lock:
            if skip_if_exists and key in self._values:
                return False
            self._values[key] = value
            return True


class LocalRunner:
    """A thread cannot be ended: a job that is cancelled ends when it next says how far it is."""

    def __init__(self) -> None:
        self.notes = LocalNotes()
        self._room = threading.Semaphore(AT_ONCE)
        self._calls: dict[str, Future[Outcome]] = {}
        self._cancelled: set[str] = set()

    def start(self, job_id: str, job: dict[str, Any]) -> str:
        call = secrets.token_hex(8)
        self._calls[call] = Future()
        # A daemon: the server ends without waiting for it.
        threading.Thread(target=self._run, args=(job_id, call, job), daemon=True).start()
        return call

    def outcome(self, call: str, seconds: float = 0) -> Outcome | None:
        try:
            return self._calls[call].result(seconds)
        except TimeoutError:
            return None

    def cancel(self, call: str) -> None:
        self._cancelled.add(call)

    def watch(self, job_id: str) -> None:
        threading.Thread(target=self._tell, args=(job_id,), daemon=True).start()

    def _tell(self, job_id: str) -> None:
        for pause in (0, *PAUSES):
            time.sleep(pause)
            try:
                tell(self, job_id)
                return
            except NotTold as error:
                log.warning("%s", error)

    def _run(self, job_id: str, call: str, job: dict[str, Any]) -> None:
        with self._room:
            try:
                done = perform(self.notes, job_id, call, job, lambda: call in self._cancelled)
                outcome = Outcome(**done)
            except Crashed:
                outcome = Outcome("failed", error=FAILED)
            except Cancelled:
                outcome = Outcome("cancelled")
        self._calls[call].set_result(outcome)
