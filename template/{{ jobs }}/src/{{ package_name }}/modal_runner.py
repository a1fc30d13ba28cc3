"""Runs each job as a call of a Modal Function: https://modal.com/docs/guide/job-queue"""

from typing import Any

import modal
from fastapi import HTTPException
from modal.exception import (
    ExecutionError,
    FunctionTimeoutError,
    InternalFailure,
    OutputExpiredError,
    RemoteError,
)

from .jobs import FAILED, GONE, Crashed, Outcome

# What becomes of a call that returned nothing. Other errors are those of asking: the job may be well.
FAILURES = (Crashed, RemoteError, ExecutionError, InternalFailure)


class ModalRunner:
    """Modal starts and ends containers for the calls, begins anew what was lost with one, and keeps results for seven days.

    Args:
        work: whose calls are the jobs.
        notes: a Dict that all functions have.
        watcher: has `webhook.tell` called for a job, with retries.
    """

    def __init__(
        self,
        work: modal.Function[..., Any, Any],
        notes: modal.Dict,
        watcher: modal.Function[..., Any, Any],
    ) -> None:
        self.work = work
        self.notes = notes
        self.watcher = watcher

    def start(self, job_id: str, job: dict[str, Any]) -> str:
        return self.work.spawn(job_id, job).object_id

    def outcome(self, call: str, seconds: float = 0) -> Outcome | None:
        try:
            return Outcome(**modal.FunctionCall.from_id(call).get(timeout=seconds))
        except TimeoutError:
            return None
        except OutputExpiredError:
            raise HTTPException(410, GONE) from None
        except FunctionTimeoutError:
            return Outcome("failed", error="The work took too long")
        except FAILURES:
            return Outcome("failed", error=FAILED)

    def cancel(self, call: str) -> None:
        modal.FunctionCall.from_id(call).cancel()

    def watch(self, job_id: str) -> None:
        self.watcher.spawn(job_id)
