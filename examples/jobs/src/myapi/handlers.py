"""What this endpoint does. Yours: the template never changes this file after it wrote it.

A job is one call of `work`. On Modal it has a container of its own, see `run_job` in modal_app.py.
"""

import time
from typing import Annotated

from pydantic import BaseModel, Field

from .progress import JobError, Report


class JobInput(BaseModel):
    """What `POST /jobs` takes. What does not fit is refused with 422, before a job starts."""

    texts: list[Annotated[str, Field(max_length=1_000)]] = Field(
        min_length=1, max_length=100, examples=[["one two three", "four"]]
    )
    pause: float = Field(
        default=0, ge=0, le=60, description="Seconds for each text, in the place of hard work"
    )


class JobResult(BaseModel):
    """What `GET /jobs/{id}` holds in the end. Modal keeps it for seven days; what is large belongs into a Volume."""

    words: list[int] = Field(description="In each text")


def work(job: JobInput, report: Report) -> JobResult:
    """Do one job.

    It may begin anew, when its container was taken away or when it raised an exception: let what it does bear that.

    Args:
        report: says how far it is: `report(done, total, message)`, as often as you like.

    Raises:
        JobError: its message is for whoever started the job. What else is raised goes to the log, and nobody else reads it.
    """
    words = []
    for number, text in enumerate(job.texts, start=1):
        if not text.strip():
            raise JobError(f"Text {number} has no words")
        time.sleep(job.pause)
        words.append(len(text.split()))
        report(number, len(job.texts), f"{sum(words)}")
    return JobResult(words=words)


async def is_ready() -> bool:
    """Tell `/ready` whether jobs can be taken now."""
    return True
