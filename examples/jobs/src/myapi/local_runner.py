"""Runs jobs in threads of this process, which forgets them when it ends. Not used on Modal."""

import secrets
import threading
from concurrent.futures import Future
from typing import Any

from .jobs import FAILED, Crashed, Outcome, perform
from .progress import Cancelled

AT_ONCE = 4  # jobs; more wait


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

    def outcome(self, call: str) -> Outcome | None:
        future = self._calls[call]
        return future.result() if future.done() else None

    def cancel(self, call: str) -> None:
        self._cancelled.add(call)

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
