"""The application that is deployed, called as its clients call it."""

import json
import logging

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from myapi import handlers, jobs, modal_app
from myapi.logs import JsonFormatter
from myapi.progress import Report

JOB = "/jobs/ffffffff" + "0" * 32


class Text(BaseModel):
    text: str = Field(min_length=1)  # only with a bound does it refuse half a character


class Heard(BaseModel):
    heard: str


def work(job: Text, report: Report) -> Heard:
    return Heard(heard=job.text)


async def is_ready() -> bool:
    return True


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work and settings of these tests in place of yours, which may be anything."""
    monkeypatch.setattr(handlers, "JobInput", Text)
    monkeypatch.setattr(handlers, "JobResult", Heard)
    monkeypatch.setattr(handlers, "work", work)
    monkeypatch.setattr(handlers, "is_ready", is_ready)
    monkeypatch.setenv("CORS_ORIGINS", "[]")
    monkeypatch.setenv("MAX_BODY_BYTES", "1000000")


def test_the_work_of_handlers_is_done(client: TestClient) -> None:
    url = client.post("/jobs", json={"text": "hé 😀"}).headers["Location"]
    assert "event: done\n" in client.get(f"{url}/events").text
    assert client.get(url).json()["result"] == {"heard": "hé 😀"}


def test_the_document_says_what_goes_in_and_comes_out(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["components"]["schemas"].keys() >= {"Text", "Heard", "Job", "Event"}
    for path, method, statuses in (
        ("/jobs", "post", {"202", "422"}),
        ("/jobs/{job_id}", "get", {"200", "404", "410"}),
        ("/jobs/{job_id}", "delete", {"204", "404", "409", "410"}),
        ("/jobs/{job_id}/events", "get", {"200", "204", "404", "410"}),
    ):
        assert document["paths"][path][method]["responses"].keys() >= statuses


@pytest.mark.parametrize(
    "content", ["{", '{"text": NaN}', '{"text": "\\ud800"}', '{"text": 1e999}', "[" * 9999]
)
def test_what_is_not_json_is_refused(client: TestClient, content: str) -> None:
    answer = client.post("/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


def test_health_and_readiness(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health").json() == {"status": "healthy"}
    assert client.get("/ready").status_code == 200

    async def not_ready() -> bool:
        return False

    monkeypatch.setattr(handlers, "is_ready", not_ready)
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_errors_are_json(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("secret detail")

    assert client.get("/nowhere").json() == {"detail": "Not Found"}
    assert client.get("/jobs").json() == {"detail": "Method Not Allowed"}
    monkeypatch.setattr(jobs.Jobs, "read", fail)
    broken = client.get(JOB)
    assert broken.status_code == 500
    assert broken.json() == {"detail": "Internal server error"}
    assert broken.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: TestClient) -> None:
    for content in (b" " * 1_000_001, iter([b" " * 600_000] * 2)):  # announced, and in chunks
        answer = client.post("/jobs", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json() == {"detail": "Content Too Large"}


@pytest.mark.parametrize(("length", "status"), [("9" * 5000, 413), ("x", 200), ("-1", 200)])
def test_a_false_length_is_no_error(client: TestClient, length: str, status: int) -> None:
    answer = client.get("/health", headers={"Content-Length": length})
    assert answer.status_code == status


def test_each_answer_and_log_line_has_the_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    answer = client.get("/health", headers={"X-Request-ID": "abc-123"})
    assert answer.headers["X-Request-ID"] == "abc-123"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/health", 200)
    forged = client.get("/health", headers={"X-Request-ID": "two words"})
    assert forged.headers["X-Request-ID"] != "two words"


def test_cors_is_off_unless_set(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"Origin": "https://app.example.com"}
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers=page).headers
    monkeypatch.setenv("CORS_ORIGINS", '["https://app.example.com"]')
    allowed = TestClient(modal_app.web.local()).get("/nowhere", headers=page)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
