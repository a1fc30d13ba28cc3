"""Work that does as it is told, to see what becomes of jobs. It is copied into a project of the style `jobs`.

What it leaves behind are files, which the suite reads whoever runs the job.
"""

import time
from pathlib import Path

from myapi.progress import JobError, Report
from pydantic import BaseModel


class JobInput(BaseModel):
    mark: str  # a path: its files are .begun, with a line for each attempt, .go, and .ended
    what: str = "nothing"
    waits: bool = False  # for .go to be there
    text: str = ""


class JobResult(BaseModel):
    text: str


def work(job: JobInput, report: Report) -> JobResult:
    with Path(f"{job.mark}.begun").open("a") as begun:
        begun.write("once\n")
    try:
        report(1, 2, "half")
        while job.waits and not Path(f"{job.mark}.go").exists():
            report(1, 2, "waiting")
            time.sleep(0.02)
        if job.what == "refuse":
            raise JobError("not on a Sunday")
        if job.what == "fail":
            raise TimeoutError("secret detail")
        report(2, 2, "all é")
    finally:
        Path(f"{job.mark}.ended").touch()
    return JobResult(text=job.text)


async def is_ready() -> bool:
    return True
