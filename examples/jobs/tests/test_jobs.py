"""Jobs, from their start to their end, as their callers see them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import modal
import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from modal.exception import FunctionTimeoutError, OutputExpiredError, RemoteError
from pydantic import BaseModel

from myapi import handlers, jobs, progress, web
from myapi.local_runner import AT_ONCE, LocalNotes, LocalRunner
from myapi.modal_runner import ModalRunner
from myapi.progress import Event, JobError, Report

NOBODYS = "ffffffff" + "0" * 32


class Task(BaseModel):
    what: str = "nothing"
    number: float = 0


class Done(BaseModel):
    result: float


class Work:
    """Stands for the work of handlers.py: waits in the middle, until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = 0

    def __call__(self, job: Task, report: Report) -> Done:
        self.begun += 1
        report(1, 2, "half")
        assert self.go.wait(10)
        if job.what == "refuse":
            raise JobError("not on a Sunday \ud800")
        if job.what == "fail":
            raise TimeoutError("secret detail")
        report(2, 2, "all")
        return Done(result=job.number)


@pytest.fixture(autouse=True)
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Work and pace of these tests in place of yours, which may be anything."""
    work = Work()
    monkeypatch.setattr(handlers, "JobInput", Task)
    monkeypatch.setattr(handlers, "JobResult", Done)
    monkeypatch.setattr(handlers, "work", work)
    monkeypatch.setattr(progress, "PACE_SECONDS", 0.01)
    monkeypatch.setattr(web, "LOOK_SECONDS", 0.01)
    yield work
    work.go.set()


def start(client: TestClient, key: str | None = None, **job: Any) -> str:
    """Start a job and return its address."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    answer = client.post("/jobs", json=job, headers=headers)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{answer.json()['id']}"
    return answer.headers["Location"]


def wait(client: TestClient, url: str, until: Callable[[Any], bool]) -> Any:
    """The job as soon as it is so."""
    deadline = time.monotonic() + 10
    while not until(job := client.get(url).json()):
        assert time.monotonic() < deadline, job
        time.sleep(0.01)
    return job


def over(job: Any) -> bool:
    return job["status"] not in {"pending", "running"}


def half(job: Any) -> bool:
    return job["progress"] is not None


def events(text: str) -> list[dict[str, str]]:
    """Those of a stream, each with its fields."""
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    found = [dict(line.split(": ", 1) for line in block if line[0] != ":") for block in blocks]
    return [event for event in found if "event" in event]


def test_a_job_from_its_start_to_its_end(client: TestClient, work: Work) -> None:
    url = start(client, number=7)
    running = wait(client, url, half)
    assert running["status"] == "running"
    assert running["progress"] == {"id": 1, "done": 1, "total": 2, "message": "half"}
    assert running["result"] is None
    work.go.set()
    done = wait(client, url, over)
    assert (done["status"], done["result"], done["error"]) == ("done", {"result": 7.0}, None)
    assert (done["id"], done["created_at"]) == (running["id"], running["created_at"])
    assert (done["progress"]["done"], done["progress"]["message"]) == (2, "all")


def test_more_jobs_wait(client: TestClient, work: Work) -> None:
    urls = [start(client) for _ in range(AT_ONCE)]
    for url in urls:
        wait(client, url, half)
    late = start(client)
    assert client.get(late).json()["status"] == "pending"
    work.go.set()
    assert wait(client, late, over)["status"] == "done"


def test_a_job_says_why_it_cannot_be_done(client: TestClient, work: Work) -> None:
    work.go.set()
    job = wait(client, start(client, what="refuse"), over)
    assert (job["status"], job["error"]) == ("failed", "not on a Sunday ?")


def test_what_went_wrong_inside_is_said_to_nobody(
    client: TestClient, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.go.set()
    job = wait(client, start(client, what="fail"), over)
    assert (job["status"], job["error"], job["result"]) == ("failed", "The work failed", None)
    assert "secret detail" in caplog.text


def test_the_same_key_leads_to_the_same_job(client: TestClient, work: Work) -> None:
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: start(client, "key 1", number=1), range(8)))
    (url,) = urls
    work.go.set()
    wait(client, url, over)
    assert start(client, "key 1", number=1) == url
    assert work.begun == 1
    assert len({start(client, "key 2"), start(client), start(client)}) == 3


def test_a_key_belongs_to_one_job(client: TestClient) -> None:
    start(client, "key", number=1)
    other = client.post("/jobs", json={"number": 2}, headers={"Idempotency-Key": "key"})
    assert other.status_code == 422
    assert "another job" in other.json()["detail"][0]["msg"]
    for key in ("", "x" * 256):
        headers = {"Idempotency-Key": key}
        assert client.post("/jobs", json={}, headers=headers).status_code == 422


def test_a_key_whose_container_was_lost_starts_its_job(work: Work) -> None:
    runner = LocalRunner()
    job_id = f"{int(time.time()):08x}" + "0" * 32
    runner.notes.put("key//lost", (job_id, "digest"))
    work.go.set()
    all_jobs = jobs.Jobs(runner)
    assert all_jobs.submit(Task(), "digest", "lost") == job_id
    deadline = time.monotonic() + 10
    while all_jobs.read(job_id)[0].status != "done":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert all_jobs.submit(Task(), "digest", "lost") == job_id
    assert work.begun == 1


def test_events_tell_it_all(client: TestClient, work: Work) -> None:
    url = start(client, number=7)
    wait(client, url, half)
    work.go.set()
    answer = client.get(f"{url}/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert "retry: 1000\n" in answer.text
    *said, last = events(answer.text)
    assert [event["event"] for event in said] == ["progress"] * 2
    assert [event["id"] for event in said] == ["1", "2"]
    assert json.loads(said[0]["data"]) == {"id": 1, "done": 1, "total": 2, "message": "half"}
    assert (last["id"], last["event"]) == ("last", "done")
    assert json.loads(last["data"]) == client.get(url).json()


def test_who_comes_again_gets_what_is_newer(client: TestClient, work: Work) -> None:
    url = start(client)
    wait(client, url, half)
    work.go.set()
    wait(client, url, over)
    for last_id, expected in (("1", ["2", "last"]), ("2", ["last"]), ("?", ["1", "2", "last"])):
        answer = client.get(f"{url}/events", headers={"Last-Event-ID": last_id})
        assert [event["id"] for event in events(answer.text)] == expected
    answer = client.get(f"{url}/events", headers={"Last-Event-ID": "last"})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("limit", [("EVENTS_SECONDS", "0.3"), ("REQUEST_SECONDS", "0.6")])
def test_a_stream_ends_before_it_is_ended(
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    limit: tuple[str, str],
) -> None:
    monkeypatch.setenv(*limit)
    client: TestClient = request.getfixturevalue("client")
    url = start(client)
    wait(client, url, half)
    answer = client.get(f"{url}/events")
    assert [event["event"] for event in events(answer.text)] == ["progress"]


def test_a_job_is_cancelled(client: TestClient, work: Work) -> None:
    url = start(client)
    wait(client, url, half)
    for _ in range(2):
        answer = client.delete(url)
        assert (answer.status_code, answer.content) == (204, b"")
        assert client.get(url).json()["status"] == "cancelled"
    (*_, last) = events(client.get(f"{url}/events").text)
    assert last["event"] == "cancelled"
    work.go.set()
    time.sleep(0.1)
    job = client.get(url).json()
    assert (job["status"], job["result"]) == ("cancelled", None)
    assert job["progress"]["done"] == 1, "it worked on"


def test_a_job_that_waits_is_cancelled(client: TestClient, work: Work) -> None:
    urls = [start(client) for _ in range(AT_ONCE)]
    for url in urls:
        wait(client, url, half)
    late = start(client)
    assert client.delete(late).status_code == 204
    work.go.set()
    for url in urls:
        wait(client, url, over)
    assert client.get(late).json()["status"] == "cancelled"
    assert work.begun == len(urls)


@pytest.mark.parametrize(("what", "status"), [("nothing", "done"), ("refuse", "failed")])
def test_what_is_over_cannot_be_cancelled(
    client: TestClient, work: Work, what: str, status: str
) -> None:
    work.go.set()
    url = start(client, what=what)
    wait(client, url, over)
    answer = client.delete(url)
    assert (answer.status_code, answer.json()) == (409, {"detail": f"This job is {status}"})
    assert client.get(url).json()["status"] == status


@pytest.mark.parametrize("job_id", [NOBODYS, NOBODYS.upper(), "1", "a b", "%00", "é"])
def test_there_is_no_such_job(client: TestClient, job_id: str) -> None:
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        answer = client.request(method, f"/jobs/{job_id}{path}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "No such job"})


def test_an_old_job_is_gone(
    client: TestClient, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = start(client)
    wait(client, url, half)
    monkeypatch.setattr(jobs, "KEPT_SECONDS", -2)
    assert client.get(url).status_code == 200, "it still works"
    work.go.set()
    deadline = time.monotonic() + 10
    while client.get(url).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    forgotten = "/jobs/00000001" + "0" * 32
    for gone in (url, forgotten):
        for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
            assert client.request(method, f"{gone}{path}").status_code == 410


def test_a_call_that_comes_second_does_nothing(work: Work) -> None:
    notes = LocalNotes()
    notes.put("job/call", "first")
    assert jobs.perform(notes, "job", "second", {}) == {"status": "cancelled"}
    assert work.begun == 0
    work.go.set()
    assert jobs.perform(notes, "job", "first", {"number": 1})["status"] == "done"


def test_a_job_that_was_cancelled_meanwhile_is_not_done(work: Work) -> None:
    notes = LocalNotes()

    def cancel_and_work(job: Task, report: Report) -> Done:
        notes.put("job/end", "cancelled")
        return Done(result=1)

    handlers.work = cancel_and_work  # type: ignore[assignment]
    assert jobs.perform(notes, "job", "call", {}) == {"status": "cancelled"}


def test_a_second_attempt_goes_on_counting(work: Work) -> None:
    notes = LocalNotes()
    work.go.set()
    with pytest.raises(jobs.Crashed):
        jobs.perform(notes, "job", "call", {"what": "fail"})
    number = notes.get("job/progress")[-1]["id"]
    jobs.perform(notes, "job", "call", {})
    assert notes.get("job/progress")[-1]["id"] > number
    assert notes.get("job/call") == "call", "its asker may be gone"


def test_only_the_newest_events_are_kept() -> None:
    written: list[list[Event]] = []
    with Report(written.append) as report:
        for number in range(2 * progress.KEPT):
            before = len(written)
            report(number, message="é" * 2_000)
            while len(written) == before:
                time.sleep(0.001)
    assert len(written[-1]) == progress.KEPT
    assert written[-1][-1].done == 2 * progress.KEPT - 1
    assert len(written[-1][-1].message) == progress.LONGEST_MESSAGE


def test_many_reports_are_few_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PACE_SECONDS", 60)
    written: list[list[Event]] = []
    with Report(written.append) as report:
        for number in range(100):
            report(number)
            time.sleep(0.001)
    assert len(written) <= 3
    assert written[-1][-1].done == 99, "the last is always written"


def test_progress_that_cannot_be_written_stops_no_work(caplog: pytest.LogCaptureFixture) -> None:
    def write(written: list[Event]) -> None:
        if written:
            raise OSError("no way")

    with Report(write) as report:
        report(1)
    assert "progress was not written" in caplog.text
    with Report(lambda _: None) as report, pytest.raises(ValueError, match="finite"):
        report(float("nan"))


class Call:
    """Stands for a modal.FunctionCall."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def get(self, timeout: float) -> object:
        assert timeout == 0
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def failed(error: str) -> jobs.Outcome:
    return jobs.Outcome("failed", error=error)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"status": "done", "result": 1}, jobs.Outcome("done", 1)),
        (TimeoutError(), None),
        (FunctionTimeoutError(), failed("The work took too long")),
        (jobs.Crashed("KeyError"), failed("The work failed")),
        (RemoteError("killed"), failed("The work failed")),
    ],
)
def test_what_modal_says_of_a_call(
    monkeypatch: pytest.MonkeyPatch, outcome: object, expected: object
) -> None:
    runner = ModalRunner(None, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(modal.FunctionCall, "from_id", lambda _: Call(outcome))
    assert runner.outcome("fc-1") == expected


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (ConnectionError("no way to Modal"), ConnectionError),  # the job may be well
        (OutputExpiredError(), HTTPException),
    ],
)
def test_what_says_nothing_of_the_job(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, seen: type[Exception]
) -> None:
    runner = ModalRunner(None, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(modal.FunctionCall, "from_id", lambda _: Call(raised))
    with pytest.raises(seen):
        runner.outcome("fc-1")
