"""The webhook, as the service sees it that is told."""

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from myapi import handlers, local_runner, modal_app, webhook
from myapi.local_runner import AT_ONCE, LocalRunner
from myapi.progress import JobError, Report
from myapi.webhook import Webhook, tell

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


class Task(BaseModel):
    what: str = "nothing"


class Done(BaseModel):
    result: int = 7


class Receiver(ThreadingHTTPServer):
    """Answers with these statuses, then with 204; `seen` are the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.seen: list[tuple[Message, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def wait(self, count: int) -> Any:
        """The newest message, once there are so many."""
        deadline = time.monotonic() + 10
        while len(self.seen) < count:
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.01)
        return json.loads(self.seen[-1][1])


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.headers, body))  # first: who has the answer may look
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Work and pace of these tests in place of yours, which may be anything. The work waits for this."""
    go = threading.Event()

    def work(job: Task, report: Report) -> Done:
        assert go.wait(10)
        if job.what == "refuse":
            raise JobError("not on a Sunday")
        if job.what == "fail":
            raise KeyError("secret detail")
        return Done()

    monkeypatch.setattr(handlers, "JobInput", Task)
    monkeypatch.setattr(handlers, "JobResult", Done)
    monkeypatch.setattr(handlers, "work", work)
    monkeypatch.setattr(local_runner, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(webhook, "LOOK_SECONDS", 0.05)
    yield go
    go.set()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, go: threading.Event) -> Iterator[Receiver]:
    with Receiver() as receiver:
        monkeypatch.setenv("WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
        thread = threading.Thread(target=receiver.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()


@pytest.fixture
def watched(receiver: Receiver, request: pytest.FixtureRequest) -> TestClient:
    """A client of the application that tells the receiver."""
    client: TestClient = request.getfixturevalue("client")  # now that its variables are set
    return client


def start(client: TestClient, what: str = "nothing") -> str:
    """Start a job and return its id."""
    return str(client.post("/jobs", json={"what": what}).json()["id"])


@pytest.mark.parametrize(
    ("what", "status", "error"),
    [
        ("nothing", "done", None),
        ("refuse", "failed", "not on a Sunday"),
        ("fail", "failed", "The work failed"),
    ],
)
def test_each_end_is_told(
    watched: TestClient,
    receiver: Receiver,
    go: threading.Event,
    what: str,
    status: str,
    error: str | None,
) -> None:
    job_id = start(watched, what)
    go.set()
    message = receiver.wait(1)
    assert message["type"] == f"job.{status}"
    data = message["data"]
    assert (data.pop("id"), data.pop("status"), data.pop("error")) == (job_id, status, error)
    assert data.keys() == {"created_at"}, "no result, which is for who may ask for it"


def test_a_job_that_never_began_is_told_too(
    watched: TestClient, receiver: Receiver, go: threading.Event
) -> None:
    *_, late = [start(watched) for _ in range(AT_ONCE + 1)]
    assert watched.delete(f"/jobs/{late}").status_code == 204
    message = receiver.wait(1)
    assert (message["type"], message["data"]["id"]) == ("job.cancelled", late)
    go.set()
    receiver.wait(AT_ONCE + 1)


def test_it_is_signed(watched: TestClient, receiver: Receiver, go: threading.Event) -> None:
    go.set()
    job_id = start(watched)
    receiver.wait(1)
    ((headers, body),) = receiver.seen
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == job_id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    seconds = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == Webhook("", KEY).signature(job_id, seconds, body)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks"""
    hook = Webhook("", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    signed = hook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [500, 302, 404])
def test_what_is_not_taken_is_sent_again(
    watched: TestClient,
    receiver: Receiver,
    go: threading.Event,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    caplog.set_level(logging.INFO)
    receiver.statuses = [status] * 2
    go.set()
    job_id = start(watched)
    receiver.wait(3)
    time.sleep(0.1)
    assert [headers["webhook-id"] for headers, _ in receiver.seen] == [job_id] * 3
    assert f"The webhook was not taken: {status}" in caplog.text
    assert SECRET[8:] not in caplog.text
    assert receiver.url not in caplog.text, "there may be a token in it"


def test_in_the_end_it_is_given_up(
    watched: TestClient, receiver: Receiver, go: threading.Event
) -> None:
    receiver.statuses = [500] * 9
    go.set()
    start(watched)
    receiver.wait(3)
    time.sleep(0.1)
    assert len(receiver.seen) == 3


def test_where_nobody_listens() -> None:
    with Receiver() as receiver:
        url = receiver.url
    with pytest.raises(webhook.NotTold, match="ConnectError"):
        Webhook(url, KEY).send("1", {})


def test_what_was_told_is_not_told_again(receiver: Receiver, go: threading.Event) -> None:
    runner = LocalRunner()
    job_id = f"{int(time.time()):08x}" + "0" * 32
    go.set()
    runner.notes.put(f"{job_id}/call", runner.start(job_id, {}))
    for _ in range(2):
        tell(runner, job_id)
    assert len(receiver.seen) == 1


def test_without_one_nobody_is_told(
    go: threading.Event, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(LocalRunner, "watch", lambda _, job_id: told.append(job_id))
    start(client)
    assert not told


@pytest.mark.parametrize(
    ("url", "secret", "wrong"),
    [
        ("https://example.com", "", "WEBHOOK_SECRET"),
        ("", SECRET, "WEBHOOK_URL"),
        ("example.com", SECRET, "WEBHOOK_URL"),
        ("ftp://example.com", SECRET, "WEBHOOK_URL"),
        ("https://", SECRET, "WEBHOOK_URL"),
        ("http://[::1", SECRET, "WEBHOOK_URL"),
        ("https://example.com", SECRET.removeprefix("whsec_"), "WEBHOOK_SECRET"),
        ("https://example.com", "whsec_AAAA", "WEBHOOK_SECRET"),
        ("https://example.com", f"{SECRET}\n", "WEBHOOK_SECRET"),
        ("https://example.com", "whsec_" + "A" * 33, "WEBHOOK_SECRET"),
    ],
)
def test_with_half_a_webhook_the_application_does_not_start(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, url: str, secret: str, wrong: str
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", url)
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    with pytest.raises(RuntimeError, match=f"{wrong}: expected") as error:
        modal_app.web.local()
    assert SECRET not in str(error.value)
