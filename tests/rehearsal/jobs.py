"""One suite of the style `jobs` for both runners: containers of the rehearsal, and threads of the local server."""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import family
import locks

from . import drive
from .ask import Answer, Ask, ask, post
from .container import Container
from .stage import Stage

ANSWERS = {"style": "jobs", "auth": "none"}
HANDLERS = Path(__file__).with_name("jobs_handlers.py")
SECONDS = 20  # for whatever is awaited
RACES = 12
OVER = {"done", "failed", "cancelled"}
# README's commands that make the Secret of a webhook, and what it has added to the app.
MADE = re.compile(r"^export WEBHOOK_SECRET=.*\nuv run modal secret create .*$", re.MULTILINE)
ADDED = re.compile(r"`app = modal\.App\(\.\.\., (.+)\)` in `modal_app\.py`")
# Its message that a job is done, in which `...` stands for any text.
SHOWN = re.compile(r'^(\{"type": "job\.done".*)$', re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job that was started, and the files by which it is steered."""

    url: str
    path: str
    mark: Path

    def get(self) -> Any:
        answer = ask(self.url, Ask("GET", self.path))
        assert answer.status == 200, answer
        return answer.json()

    def cancel(self) -> Answer:
        return ask(self.url, Ask("DELETE", self.path))

    def go(self) -> None:
        self.mark.with_suffix(".go").touch()

    def begun(self) -> int:
        """How many attempts there were."""
        file = self.mark.with_suffix(".begun")
        return len(file.read_text().splitlines()) if file.exists() else 0

    def ended(self) -> bool:
        return self.mark.with_suffix(".ended").exists()

    def until(self, true: Callable[[Any], bool]) -> Any:
        """The job as soon as it is so."""
        deadline = time.monotonic() + SECONDS
        while not true(job := self.get()):
            assert time.monotonic() < deadline, f"after {SECONDS} seconds still {job}"
            time.sleep(0.05)
        return job

    def over(self) -> Any:
        return self.until(lambda job: job["status"] in OVER)

    def running(self) -> Any:
        return self.until(lambda job: job["progress"])

    def events(self, last_id: str = "") -> list[dict[str, str]]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        answer = ask(self.url, Ask("GET", f"{self.path}/events", headers))
        assert answer.status == 200, answer
        return parse(answer.body.decode())


class Receiver(ThreadingHTTPServer):
    """The service that is told of jobs. Of each it refuses the first message, and takes the others.

    key: that signs them. told: the messages, by the id in their headers. wrong: what was not as it should be.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.key = bytes(range(32))
        self.told: dict[str, list[Any]] = defaultdict(list)
        self.wrong: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    @property
    def secret(self) -> str:
        return f"whsec_{base64.b64encode(self.key).decode()}"

    def take(self, headers: Message, body: bytes) -> bool:
        """Whether a message is taken. Its signature is as Standard Webhooks has it."""
        name, then = headers["webhook-id"], headers["webhook-timestamp"]
        digest = hmac.digest(self.key, f"{name}.{then}.".encode() + body, hashlib.sha256)
        if headers["webhook-signature"] != f"v1,{base64.b64encode(digest).decode()}":
            self.wrong.append(f"signature of {name}")
        if abs(int(then) - time.time()) > SECONDS:
            self.wrong.append(f"time of {name}: {then}")
        self.told[name].append(json.loads(body))
        return len(self.told[name]) > 1


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if self.server.take(self.headers, body) else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


@dataclass(frozen=True)
class Suite:
    """url: of the endpoint. folder: for marks. room: as many jobs run at once. attempts: at work that fails.

    readme: of the project. started: paths of the jobs, of which some may be the same.
    """

    url: str
    folder: Path
    room: int
    attempts: int
    receiver: Receiver
    readme: str
    numbers: Iterator[int] = field(default_factory=count)
    started: list[str] = field(default_factory=list)

    def start(self, key: str = "", **options: Any) -> Job:
        mark = self.folder / f"job{next(self.numbers)}"
        return self.send({"mark": str(mark), **options}, key)

    def send(self, body: Mapping[str, Any], key: str = "") -> Job:
        headers = {"Idempotency-Key": key} if key else {}
        answer = ask(self.url, post("/jobs", body, **headers))
        assert answer.status == 202, answer
        path = answer.headers["location"]
        assert path == f"/jobs/{answer.json()['id']}"
        self.started.append(path)
        return Job(self.url, path, Path(body["mark"]))

    @contextmanager
    def full(self) -> Iterator[list[Job]]:
        """As many jobs as there is room for, until they are let go."""
        jobs = [self.start(waits=True) for _ in range(self.room)]
        for job in jobs:
            job.running()
        yield jobs
        for job in jobs:
            job.go()
            assert job.over()["status"] == "done"


def parse(text: str) -> list[dict[str, str]]:
    """The events of a stream, each with its fields."""
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    found = [dict(line.split(": ", 1) for line in block if line[0] != ":") for block in blocks]
    return [event for event in found if "event" in event]


def from_start_to_end(suite: Suite) -> None:
    job = suite.start(waits=True, text="é 😀")
    running = job.running()
    assert running["status"] == "running", running
    assert (running["progress"]["done"], running["progress"]["total"]) == (1, 2), running
    job.go()
    done = job.over()
    assert (done["status"], done["result"], done["error"]) == ("done", {"text": "é 😀"}, None)
    assert done["progress"]["message"] == "all é", done
    assert job.begun() == 1


def events_as_they_come(suite: Suite) -> None:
    """The first event is here while the job runs; who comes again gets the rest, and then nothing."""
    job = suite.start(waits=True)
    job.running()
    connection = HTTPConnection(urlsplit(suite.url).netloc, timeout=SECONDS)
    connection.request("GET", f"{job.path}/events")
    answer = connection.getresponse()
    first = b""
    while b"event: progress\n" not in first:
        first += answer.readline()
    job.go()
    said = parse((first + answer.read()).decode())
    connection.close()
    numbers = [int(event["id"]) for event in said if event["event"] == "progress"]
    assert numbers == list(range(1, len(numbers) + 1)), said
    assert (said[-1]["event"], said[-1]["id"]) == ("done", "last"), said
    assert json.loads(said[-1]["data"]) == job.get()
    rest = job.events(str(numbers[-2]))
    assert [event["id"] for event in rest] == [str(numbers[-1]), "last"], rest
    assert ask(suite.url, Ask("GET", f"{job.path}/events", {"Last-Event-ID": "last"})).status == 204


def one_key_one_job(suite: Suite) -> None:
    """Sent eight times at once, and again when it is done, a job with a key is done once."""
    body = {"mark": str(suite.folder / f"job{next(suite.numbers)}"), "waits": True}
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: suite.send(body, "one key"), range(8)))
    (job,) = {*jobs}
    job.running()
    job.go()
    job.over()
    assert suite.send(body, "one key") == job
    with suite.full():  # whatever else was started has had its turn
        pass
    assert job.begun() == 1, f"{job.begun()} times"
    headers = {"Idempotency-Key": "one key"}
    other = ask(suite.url, post("/jobs", body | {"text": "another"}, **headers))
    assert other.status == 422, other


def failures(suite: Suite) -> None:
    """What the work says is passed on, and is not tried again; what it raises otherwise is not."""
    refused = suite.start(what="refuse")
    job = refused.over()
    assert (job["status"], job["error"], job["result"]) == ("failed", "not on a Sunday", None)
    assert refused.begun() == 1
    failed = suite.start(what="fail")
    job = failed.over()
    assert (job["status"], job["error"], job["result"]) == ("failed", "The work failed", None)
    assert failed.begun() == suite.attempts
    for ended in (refused, failed):
        assert ended.events()[-1]["event"] == "failed"
        assert ended.cancel().status == 409


def cancelled_in_the_middle(suite: Suite) -> None:
    """Its work ends, and its room is free."""
    job = suite.start(waits=True)
    job.running()
    assert job.cancel().status == 204
    assert job.get()["status"] == "cancelled"
    deadline = time.monotonic() + SECONDS
    while not job.ended():
        assert time.monotonic() < deadline, "it works on"
        time.sleep(0.05)
    assert job.cancel().status == 204, "once more is no error"
    with suite.full():
        assert job.get()["status"] == "cancelled"
    assert job.events()[-1]["event"] == "cancelled"
    assert job.begun() == 1


def cancelled_while_it_waits(suite: Suite) -> None:
    with suite.full():
        late = suite.start()
        assert late.get()["status"] == "pending"
        assert late.cancel().status == 204
        last = suite.start()
    assert last.over()["status"] == "done"
    assert late.get()["status"] == "cancelled"
    assert late.begun() == 0


def cancelled_as_it_ends(suite: Suite) -> None:
    """Whichever comes first: what is said once is so for ever, and the answer to DELETE agrees."""

    def race(number: int) -> tuple[Job, int, str]:
        job = suite.start()
        time.sleep(0.02 * number)
        return job, job.cancel().status, job.over()["status"]

    with ThreadPoolExecutor(RACES) as pool:
        ended = list(pool.map(race, range(RACES)))
    with suite.full():
        pass
    for job, answered, status in ended:
        assert (answered, status) in {(204, "cancelled"), (409, "done")}, (answered, status)
        assert job.get()["status"] == status


def lost_container(suite: Suite, containers: list[Container]) -> None:
    """A job whose container is killed is done by another one, and its events go on counting."""
    job = suite.start(waits=True)
    before = job.running()["progress"]["id"]
    (busy,) = [each for each in containers if each.worker.at_once]
    os.kill(busy.process.pid, signal.SIGKILL)
    job.until(lambda _: job.begun() == 2)
    after = job.until(lambda job: job["progress"]["id"] > before)
    assert after["status"] == "running", after
    job.go()
    assert job.over()["status"] == "done"


def each_end_is_told(suite: Suite) -> None:
    """Of all that this suite has started, however it ended, and again where it was not taken; as README shows it."""
    told = suite.receiver.told
    for path in {*suite.started}:
        job = ask(suite.url, Ask("GET", path)).json()
        deadline = time.monotonic() + SECONDS
        while len(told[job["id"]]) < 2:
            assert time.monotonic() < deadline, f"nobody was told twice of {job}: {told[job['id']]}"
            time.sleep(0.05)
        expected = {key: job[key] for key in ("id", "status", "created_at", "error")}
        for message in told[job["id"]]:
            assert (message["type"], message["data"]) == (f"job.{job['status']}", expected), message
    messages = [message for of_one in told.values() for message in of_one]
    assert {message["type"] for message in messages} == {f"job.{status}" for status in OVER}
    (shown,) = map(json.loads, SHOWN.findall(suite.readme))
    unlike = [each for each in messages if each["type"] == "job.done" and not is_like(shown, each)]
    assert not unlike, f"README shows {shown}, and it was {unlike[0]}"
    assert len(told) >= 2 * RACES, f"only {len(told)} jobs"
    assert told.keys() == {path.rpartition("/")[2] for path in suite.started}
    assert not suite.receiver.wrong, suite.receiver.wrong


def is_like(shown: Any, told: Any) -> bool:
    """Whether it is what README shows, which writes `...` for any text."""
    if isinstance(shown, dict):
        same = shown.keys() == told.keys()
        return same and all(is_like(shown[name], told[name]) for name in shown)
    return isinstance(told, str) if shown == "..." else bool(shown == told)


SUITE = [
    from_start_to_end,
    events_as_they_come,
    one_key_one_job,
    failures,
    cancelled_in_the_middle,
    cancelled_while_it_waits,
    cancelled_as_it_ends,
]


def check(stage: Stage, template: Path, folder: Path) -> int:
    """Render a project of the style, and let it go through the suite; return how many checks there were."""
    project = family.render(template, folder, ANSWERS)
    locks.lock(project)
    return deploy_and_check(stage, project, ANSWERS, "jobs")


def deploy_and_check(stage: Stage, project: Path, _: family.Answers, name: str) -> int:
    """Let a locked project, with the suite's own work, go through the suite on both runners.

    Returns:
        How many checks there were.

    Raises:
        AssertionError: with the runner, the check, and what went wrong.
    """
    shutil.copy(HANDLERS, project / "src" / family.NAME / "handlers.py")
    readme = (project / "README.md").read_text()
    with receiver() as told:
        add_webhook(stage, project, readme, name, told)
        app = stage.deploy(project, family.NAME, name)
        with (
            stage.working(app, "run_job", faults=True) as containers,
            stage.working(app, "watch_job", count=1, faults=True),
            stage.served(app) as served,
        ):
            on_modal = Suite(served.url, folder(project, "modal"), 2, 2, told, readme)
            loss = partial(lost_container, containers=containers)
            run("containers", on_modal, [*SUITE, loss, each_end_is_told])
    with receiver() as told:
        variables = {"WEBHOOK_URL": told.url, "WEBHOOK_SECRET": told.secret}
        with drive.local_server(project, family.NAME, os.environ | variables) as url:
            on_threads = Suite(url, folder(project, "local"), 4, 1, told, readme)
            run("threads", on_threads, [*SUITE, each_end_is_told])
    return 2 * len(SUITE) + 3


def add_webhook(stage: Stage, project: Path, readme: str, name: str, told: Receiver) -> None:
    """What README has its reader do for one, with this receiver, which then knows the key.

    Raises:
        DeployError: when a command fails.
    """
    (commands,), (added,) = MADE.findall(readme), ADDED.findall(readme)
    stage.command(project, commands.replace("https://example.com/jobs", told.url), name)
    secret = stage.plane.secrets[name, f"{family.NAME}-webhook"]["WEBHOOK_SECRET"]
    told.key = base64.b64decode(secret.removeprefix("whsec_"))
    source = project / "src" / family.NAME / "modal_app.py"
    before, end, after = source.read_text().partition(", image=image)")
    assert end, "modal_app.py has no app"
    source.write_text(f"{before}, image=image, {added}){after}")


def run(runner: str, suite: Suite, checks: Sequence[Callable[[Suite], None]]) -> None:
    for number, each in enumerate(checks):
        try:
            each(suite)
        except Exception as error:
            name = getattr(each, "__name__", f"check {number}")
            raise AssertionError(f"jobs in {runner}, {name}: {error}") from error


def folder(project: Path, name: str) -> Path:
    (project / name).mkdir()
    return project / name
