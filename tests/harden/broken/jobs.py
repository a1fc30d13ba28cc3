"""Work that fails, and work that takes long."""

import time

from pydantic import BaseModel

from .progress import Report


class JobInput(BaseModel):
    fails: bool = False
    seconds: float = 0


class JobResult(BaseModel):
    answer: str


def work(job: JobInput, report: Report) -> JobResult:
    report(0, 1, "begun")
    if job.fails:
        raise RuntimeError("the password is hunter2")
    time.sleep(job.seconds)
    return JobResult(answer="ok")


async def is_ready() -> bool:
    return True
