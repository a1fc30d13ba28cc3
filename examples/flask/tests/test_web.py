"""The application that is deployed, called as its clients call it."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from a2wsgi import WSGIMiddleware

from myapi import handlers, modal_app
from myapi.logs import JsonFormatter


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx2.Client:
    headers = {"Content-Type": "application/json"}
    transport = httpx2.WSGITransport(modal_app.web.local())
    return httpx2.Client(transport=transport, base_url="http://localhost", headers=headers)


def test_home(client: httpx2.Client) -> None:
    assert client.get("/").json() == {"message": "Hello from Flask!"}


def test_predict(client: httpx2.Client) -> None:
    answer = client.post("/predict", json={"text": "one two three", "max_length": 2})
    assert answer.json() == {"result": "one two", "tokens": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"text": ""}',
        b'{"text": 1}',
        b'{"text": "x", "max_length": 0}',
        b'["text"]',
        b'"text"',
        b"null",
        b"",
        b"{",
        b'{"text": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_bad_body_is_refused_with_a_reason(client: httpx2.Client, body: bytes) -> None:
    answer = client.post("/predict", content=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["msg"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(client: httpx2.Client, content_type: str) -> None:
    answer = client.post(
        "/predict", content=b'{"text": "x"}', headers={"Content-Type": content_type}
    )
    assert answer.status_code == 415
    assert answer.json() == {"detail": "Unsupported Media Type"}


def test_health_and_readiness(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health").json() == {"status": "healthy"}
    assert client.get("/ready").json() == {"status": "ready"}
    monkeypatch.setattr(handlers, "is_ready", lambda: False)
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_errors_are_json(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = client.get("/nowhere")
    assert missing.status_code == 404
    assert missing.json() == {"detail": "Not Found"}
    wrong_method = client.get("/predict")
    assert wrong_method.status_code == 405
    assert wrong_method.json() == {"detail": "Method Not Allowed"}
    assert "POST" in wrong_method.headers["Allow"]
    monkeypatch.setattr(handlers, "is_ready", None)
    broken = client.get("/ready")
    assert broken.status_code == 500
    assert broken.json() == {"detail": "Internal server error"}
    assert broken.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: httpx2.Client) -> None:
    answer = client.post("/predict", content=b" " * 1_000_001)
    assert answer.status_code == 413
    assert answer.json() == {"detail": "Content Too Large"}


def test_a_body_in_chunks_is_read_and_limited(client: httpx2.Client) -> None:
    # As Modal does it: a2wsgi around the application, and no Content-Length.
    transport = httpx2.ASGITransport(WSGIMiddleware(modal_app.web.local()))

    async def post(*chunks: bytes) -> httpx2.Response:
        async def content() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        async with httpx2.AsyncClient(
            transport=transport, base_url=client.base_url, headers=client.headers
        ) as chunked:
            return await chunked.post("/predict", content=content())

    answer = asyncio.run(post(b'{"text": "one ', b'two"}'))
    assert answer.json() == {"result": "one two", "tokens": 2}
    large = asyncio.run(post(b" " * 600_000, b" " * 600_000))
    assert large.status_code == 413
    assert large.json() == {"detail": "Content Too Large"}


def test_requests_run_at_the_same_time_and_apart(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = threading.Barrier(16)

    def wait_for_all() -> bool:
        inside.wait(timeout=10)  # breaks unless 16 requests are in here together
        return True

    monkeypatch.setattr(handlers, "is_ready", wait_for_all)

    def call(number: int) -> str:
        request_id = f"request-{number}"
        assert client.get("/ready").status_code == 200
        answer = client.post(
            "/predict", json={"text": f"number {number}"}, headers={"X-Request-ID": request_id}
        )
        assert answer.headers["X-Request-ID"] == request_id
        return answer.json()["result"]

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(call, range(16))) == [f"number {number}" for number in range(16)]


def test_each_answer_and_log_line_has_the_request_id(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    answer = client.get("/", headers={"X-Request-ID": "abc-123"})
    assert answer.headers["X-Request-ID"] == "abc-123"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/", 200)
    forged = client.get("/", headers={"X-Request-ID": "two words"})
    assert forged.headers["X-Request-ID"] != "two words"
