"""The application that is deployed, called as its clients call it."""

import json
import logging

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from myapi import handlers, modal_app
from myapi.logs import JsonFormatter

router = APIRouter()


class Text(BaseModel):
    text: str = Field(min_length=1)  # only with a bound does it refuse half a character


@router.get("/probe")
async def probe() -> str:
    return "probed"


@router.post("/text")
async def take(text: Text) -> Text:
    return text


@router.get("/broken")
async def fail() -> None:
    raise KeyError("secret detail")


async def is_ready() -> bool:
    return True


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routes and settings of these tests in place of yours, which may be anything."""
    monkeypatch.setattr(handlers, "router", router)
    monkeypatch.setattr(handlers, "is_ready", is_ready)
    monkeypatch.setenv("CORS_ORIGINS", "[]")
    monkeypatch.setenv("MAX_BODY_BYTES", "1000000")


def test_the_routes_of_handlers_are_served(client: TestClient) -> None:
    assert client.get("/probe").json() == "probed"
    assert client.post("/text", json={"text": "hé 😀"}).json() == {"text": "hé 😀"}


@pytest.mark.parametrize(
    "content", ["{", '{"text": NaN}', '{"text": "\\ud800"}', '{"text": 1e999}', "[" * 9999]
)
def test_what_is_not_json_is_refused(client: TestClient, content: str) -> None:
    answer = client.post("/text", content=content, headers={"Content-Type": "application/json"})
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


def test_errors_are_json(client: TestClient) -> None:
    assert client.get("/nowhere").json() == {"detail": "Not Found"}
    assert client.get("/text").json() == {"detail": "Method Not Allowed"}
    broken = client.get("/broken")
    assert broken.status_code == 500
    assert broken.json() == {"detail": "Internal server error"}
    assert broken.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: TestClient) -> None:
    for content in (b" " * 1_000_001, iter([b" " * 600_000] * 2)):  # announced, and in chunks
        answer = client.post("/text", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json() == {"detail": "Content Too Large"}


@pytest.mark.parametrize(("length", "status"), [("9" * 5000, 413), ("x", 200), ("-1", 200)])
def test_a_false_length_is_no_error(client: TestClient, length: str, status: int) -> None:
    answer = client.get("/probe", headers={"Content-Length": length})
    assert answer.status_code == status


def test_each_answer_and_log_line_has_the_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    answer = client.get("/probe", headers={"X-Request-ID": "abc-123"})
    assert answer.headers["X-Request-ID"] == "abc-123"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/probe", 200)
    forged = client.get("/probe", headers={"X-Request-ID": "two words"})
    assert forged.headers["X-Request-ID"] != "two words"


def test_cors_is_off_unless_set(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"Origin": "https://app.example.com"}
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers=page).headers
    monkeypatch.setenv("CORS_ORIGINS", '["https://app.example.com"]')
    allowed = TestClient(modal_app.web.local()).get("/nowhere", headers=page)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
