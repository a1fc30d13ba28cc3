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
        function: whose calls are the jobs.
        notes: a Dict that the function has too.
    """

    def __init__(self, function: modal.Function[..., Any, Any], notes: modal.Dict) -> None:
        self.function = function
        self.notes = notes

    def start(self, job_id: str, job: dict[str, Any]) -> str:
        return self.function.spawn(job_id, job).object_id

    def outcome(self, call: str) -> Outcome | None:
        try:
            return Outcome(**modal.FunctionCall.from_id(call).get(timeout=0))
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
