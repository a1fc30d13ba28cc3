"""Other work: it adds numbers."""

from pydantic import BaseModel

from .progress import Report


class JobInput(BaseModel):
    numbers: list[float]


class JobResult(BaseModel):
    total: float


def work(job: JobInput, report: Report) -> JobResult:
    total = 0.0
    for number in job.numbers:
        total += number
        report(total)
    return JobResult(total=total)


async def is_ready() -> bool:
    return True
