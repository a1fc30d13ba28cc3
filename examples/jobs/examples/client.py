"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import copy
import logging
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Literal, Self, TypedDict

import httpx2

from .endpoint import Endpoint, EndpointError

TIMES = 5  # that it asks again in a row where the line breaks
PAUSE = 1.0  # seconds before that
log = logging.getLogger(__name__)


class Progress(TypedDict):
    id: int
    done: float
    total: float | None
    message: str


class Result(TypedDict):
    words: list[int]


class Job(TypedDict):
    id: str
    status: Literal["pending", "running", "done", "failed", "cancelled"]
    created_at: str
    progress: Progress | None
    result: Result | None
    error: str | None


class Client(Endpoint):
    def start(self, texts: list[str], pause: float = 0, key: str | None = None) -> Job:
        """Start a job.

        Args:
            key: your own for this job, to which it leads however often it is started; without one it gets a new one.
        """
        caller = self._with("Idempotency-Key", key or secrets.token_urlsafe())
        for _ in range(TIMES):
            try:
                job: Job = caller.call("POST", "/jobs", {"texts": texts, "pause": pause})
            except EndpointError as error:
                if not broke_off(error):
                    raise
                failure = error
                log.warning("%s; again", error)
                time.sleep(PAUSE)
            else:
                return job
        raise failure

    def job(self, job_id: str) -> Job:
        """How far a job is."""
        job: Job = self.call("GET", f"/jobs/{job_id}")
        return job

    def follow(self, job_id: str) -> Iterator[Progress]:
        """Its progress as it comes, until the job is over. Where a stream ends, the next one goes on."""
        last_id, failures = "", 0
        while True:
            caller = self._with("Last-Event-ID", last_id) if last_id else self
            try:
                with caller.open("GET", f"/jobs/{job_id}/events") as answer:
                    if answer.status_code == 204:  # all was said before
                        return
                    for event in httpx2.EventSource(answer):
                        last_id, failures = event.id or last_id, 0
                        if event.event == "progress":
                            progress: Progress = event.json()  # type: ignore[assignment]
                            yield progress
                        elif event.event in {"done", "failed", "cancelled"}:
                            return
            except EndpointError as error:
                failures += 1
                if failures == TIMES or not broke_off(error):
                    raise
                log.warning("%s; again", error)
            time.sleep(PAUSE)

    def result(self, job_id: str) -> Result:
        """Wait for the end of a job, and return what came of it.

        Raises:
            EndpointError: when it failed, with the reason, or was cancelled.
        """
        for _ in self.follow(job_id):
            pass
        job = self.job(job_id)
        if job["result"] is None:
            raise EndpointError(f"job {job_id} {job['status']}: {job['error'] or 'no result'}")
        return job["result"]

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; whether that was not too late."""
        try:
            self.request("DELETE", f"/jobs/{job_id}")
        except EndpointError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _with(self, header: str, value: str) -> Self:
        """The same endpoint over the same connections, with one more header."""
        caller = copy.copy(self)
        caller.headers = {**self.headers, header: value}
        return caller


def broke_off(error: EndpointError) -> bool:
    """Whether the line broke in the middle, so that nobody knows what was done."""
    return isinstance(error.__cause__, httpx2.TransportError)


def main(client: Client) -> None:
    job = client.start(["one two three", "four"], pause=0.5)
    for progress in client.follow(job["id"]):
        print(f"{progress['done']} of {progress['total']} texts, {progress['message']} words")
    print(client.result(job["id"]))
    slow = client.start(["five"] * 100, pause=1)
    print("cancelled" if client.cancel(slow["id"]) else "too late")


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
