"""What work has to say while it runs: how far it is, and why it ends."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Self

from pydantic import BaseModel, FiniteFloat

KEPT = 100  # events of a job; a client that was away for longer misses the oldest
PACE_SECONDS = 0.5  # between two writes
LONGEST_MESSAGE = 1_000  # characters
log = logging.getLogger(__name__)


class JobError(Exception):
    """Why a job cannot be done, in a sentence for whoever started it."""


class Cancelled(BaseException):
    """Ends the work of a job that was cancelled; no `except Exception` stops it."""


class Event(BaseModel):
    """How far a job is. The numbers are in whatever unit the work counts; `id` grows by one with each that is written."""

    id: int
    done: int | FiniteFloat
    total: int | FiniteFloat | None
    message: str


class Report:
    """Says how far a job is: `report(done, total, message)`. It costs next to nothing, however often it is called.

    A thread writes the newest, at most once in half a second, and the last one in the end. Whoever asks sees it then.

    Args:
        write: keeps what it is given. What it raises is logged, and stops no work.
        events: of an earlier attempt at the same job, the oldest first.
        cancelled: whether somebody has cancelled the job.
    """

    def __init__(
        self,
        write: Callable[[list[Event]], object],
        events: Sequence[Event] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._save = write
        self._events = list(events)
        self._cancelled = cancelled
        self._newest: Event | None = None
        self._news = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say it.

        Raises:
            Cancelled: when the job was cancelled.
            ValueError: for a number that is none, or is infinite.
        """
        if self._cancelled():
            raise Cancelled
        self._newest = Event(id=0, done=done, total=total, message=readable(message))
        self._news.set()

    def __enter__(self) -> Self:
        self._save(self._events)  # it has begun
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._news.set()
        self._thread.join()

    def _write(self) -> None:
        over = False
        while not over:
            self._news.wait()
            self._news.clear()
            over = self._over.is_set()
            newest, self._newest = self._newest, None
            if newest:
                number = self._events[-1].id + 1 if self._events else 1
                events = [*self._events, newest.model_copy(update={"id": number})]
                self._events = events[-KEPT:]
                try:
                    self._save(self._events)
                except Exception:
                    log.exception("progress was not written")
            self._over.wait(PACE_SECONDS)


def readable(text: str) -> str:
    """The text as UTF-8 can hold it, and not too long."""
    return text[:LONGEST_MESSAGE].encode("utf-8", "replace").decode()
