"""Jobs: what is noted of each, and how all who have to do with it agree. Knows nothing of Modal.

Any container may be asked, any may be taken away, and two may do the same thing at once. So what matters is noted once, by
whoever comes first, and everybody else goes by what stands there:

    key/CALLER/KEY   the job of an Idempotency-Key, and a digest of what it was asked for
    JOB/call         which call of the runner has the job; another one does nothing
    JOB/end          how it ended; a job that is cancelled is not done afterwards
    JOB/progress     its newest events; only whoever works on it writes them
    JOB/told         that the webhook has it
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from fastapi import HTTPException
from pydantic import BaseModel

from . import handlers, logs
from .progress import Event, JobError, Report, readable

# As long as Modal keeps a result: https://modal.com/docs/guide/job-queue
KEPT_SECONDS = 7 * 24 * 3600
ID = re.compile("[0-9a-f]{40}")  # of a job: the second in which it began, and 16 random bytes
FAILED = "The work failed"  # why stands in the log, and is for nobody else
GONE = "Jobs are kept for seven days, and this one is older"
# In the shape of what FastAPI says of other requests that do not fit.
OTHER_JOB = {
    "type": "idempotency_key",
    "loc": ["header", "idempotency-key"],
    "msg": "This Idempotency-Key belongs to another job",
}
log = logging.getLogger(__name__)


class Notes(Protocol):
    """Where notes are kept. A modal.Dict is one."""

    def get(self, key: str, default: Any = None) -> Any:
        """What is noted under this key."""

    def put(self, key: str, value: Any, *, skip_if_exists: bool = False) -> bool:
        """Note it; say whether it was, or already stood there and was to be skipped."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call."""

    status: Literal["done", "failed", "cancelled"]
    result: Any = None  # as JSON has it
    error: str | None = None


class Runner(Protocol):
    """Where jobs run. Its methods may block."""

    @property
    def notes(self) -> Notes:
        """The same for all who have to do with its jobs."""

    def start(self, job_id: str, job: dict[str, Any]) -> str:
        """Have `perform` called, and return a name of that call."""

    def outcome(self, call: str, seconds: float = 0) -> Outcome | None:
        """What came of a call; None while it waits or works for longer than so many seconds.

        Raises:
            HTTPException: where nobody knows any more.
        """

    def cancel(self, call: str) -> None:
        """End a call, or see that it never begins."""

    def watch(self, job_id: str) -> None:
        """Have `webhook.tell` called, again and again until it does its work."""


UNFINISHED = {"pending", "running"}


class Job(BaseModel):
    """A job as its caller sees it."""

    id: str
    status: Literal["pending", "running", "done", "failed", "cancelled"]
    created_at: datetime
    progress: Event | None
    result: Any
    error: str | None


class Crashed(Exception):
    """The work raised what it should not have."""


@dataclass(frozen=True)
class Jobs:
    """All jobs of a runner. Its methods block; they raise HTTPException where the answer is an error.

    watched: whether a webhook is told of their ends.
    """

    runner: Runner
    watched: bool = False

    def submit(self, job: BaseModel, digest: str, key: str | None) -> str:
        """Start a job, or find the one that was started with this key, and return its id.

        Args:
            digest: of the job, to tell whether two are the same.
            key: the caller's own for it.
        """
        notes, job_id = self.runner.notes, f"{int(time.time()):08x}{secrets.token_hex(16)}"
        if key is not None:
            note = f"key/{logs.caller.get() or ''}/{key}"
            if not notes.put(note, (job_id, digest), skip_if_exists=True):
                job_id, first = notes.get(note)
                if first != digest:
                    raise HTTPException(422, [OTHER_JOB])
        # There is a note without a call where its container was lost, or is not yet so far.
        if key is None or notes.get(f"{job_id}/call") is None:
            call = self.runner.start(job_id, job.model_dump(by_alias=True, round_trip=True))
            if self.watched:  # before the note: what is not noted is begun again
                self.runner.watch(job_id)
            if first_to_note(notes, f"{job_id}/call", call) != call:
                self.runner.cancel(call)
        return job_id

    def read(self, job_id: str) -> tuple[Job, list[Event]]:
        """A job and its events, the oldest first."""
        if not ID.fullmatch(job_id):
            raise HTTPException(404, "No such job")
        notes, began = self.runner.notes, int(job_id[:8], 16)
        is_old = time.time() - began > KEPT_SECONDS
        call = notes.get(f"{job_id}/call")
        if call is None and not is_old:
            raise HTTPException(404, "No such job")
        outcome = self.outcome(job_id, call) if call is not None else None
        if is_old and (call is None or outcome):
            raise HTTPException(410, GONE)
        written = notes.get(f"{job_id}/progress")
        events = [Event(**event) for event in written or []]
        job = Job(
            id=job_id,
            status=outcome.status if outcome else "pending" if written is None else "running",
            created_at=datetime.fromtimestamp(began, UTC),
            progress=events[-1] if events else None,
            result=outcome.result if outcome else None,
            error=outcome.error if outcome else None,
        )
        return job, events

    def outcome(self, job_id: str, call: str, seconds: float = 0) -> Outcome | None:
        """How a job ended; None while it goes on for longer than so many seconds."""
        notes = self.runner.notes
        if notes.get(f"{job_id}/end") == "cancelled":
            return Outcome("cancelled")
        outcome = self.runner.outcome(call, seconds)
        if outcome is None or outcome.status != "failed":
            return outcome
        # It may have been killed before it could note that.
        ended = first_to_note(notes, f"{job_id}/end", "failed")
        return Outcome("cancelled") if ended == "cancelled" else outcome

    def cancel(self, job_id: str) -> None:
        """Cancel a job; once more is no error, but one that has ended otherwise is."""
        job, _ = self.read(job_id)
        status: str = job.status
        if status in UNFINISHED:
            status = first_to_note(self.runner.notes, f"{job_id}/end", "cancelled")
        if status != "cancelled":
            raise HTTPException(409, f"This job is {status}")
        self.runner.cancel(self.runner.notes.get(f"{job_id}/call"))


def first_to_note(notes: Notes, key: str, value: str) -> str:
    """Note it where nothing stands yet, and return what stands there then."""
    if notes.put(key, value, skip_if_exists=True):
        return value
    return str(notes.get(key))


def perform(
    notes: Notes,
    job_id: str,
    call: str,
    job: dict[str, Any],
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Do the work of a job, where its runner wants it done.

    Args:
        call: its name. A second attempt has the name of the first.
        cancelled: whether somebody has cancelled it meanwhile.

    Returns:
        An `Outcome`, as a dict: what is kept may be read by another version of this code.

    Raises:
        Crashed: when the work raised anything but JobError.
    """
    logs.request_id.set(job_id)  # in each line that the work logs
    if first_to_note(notes, f"{job_id}/call", call) != call:
        return {"status": "cancelled"}  # it was asked for twice at once, and another call has it
    if notes.get(f"{job_id}/end") == "cancelled":
        return {"status": "cancelled"}

    def write(events: list[Event]) -> None:
        notes.put(f"{job_id}/progress", [event.model_dump() for event in events])

    outcome: dict[str, Any]
    try:
        events = [Event(**event) for event in notes.get(f"{job_id}/progress") or []]
        with Report(write, events, cancelled) as report:
            result = handlers.work(handlers.JobInput.model_validate(job), report)
        outcome = {"status": "done", "result": json.loads(result.model_dump_json())}
    except JobError as error:
        outcome = {"status": "failed", "error": readable(str(error))}
    except Exception as error:
        log.exception("the work failed")
        # Not the error itself: whoever fetches the result could not tell some from errors of the way there.
        raise Crashed(type(error).__name__) from None
    if first_to_note(notes, f"{job_id}/end", outcome["status"]) == "cancelled":
        return {"status": "cancelled"}
    log.info("job", extra={"status": outcome["status"]})
    return outcome
