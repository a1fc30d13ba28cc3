"""The application that is deployed, with a route of the tests' own in the place of the handlers'."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST
from pydantic import BaseModel

from myapi import handlers, modal_app, web
from myapi.body import read_json
from myapi.logs import JsonFormatter

MAX_BYTES = 1_000_000


class Message(BaseModel):
    text: str


@require_POST
def echo(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"text": read_json(request, Message).text})


# In the place of web.urlpatterns, which took the handlers' paths in when it was imported.
urlpatterns = [
    path("echo", echo),
    *(each for each in web.urlpatterns if each not in handlers.urlpatterns),
]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx2.Client:
    monkeypatch.setenv("DJANGO_SECRET_KEY", "test-" + "0123456789" * 5)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", f"{handlers.__package__}.settings")
    monkeypatch.setattr(settings, "ROOT_URLCONF", __name__)
    monkeypatch.setattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", MAX_BYTES)
    monkeypatch.setattr(handlers, "is_ready", lambda: True)
    headers = {"Content-Type": "application/json"}
    transport = httpx2.WSGITransport(modal_app.web.local())
    return httpx2.Client(transport=transport, base_url="http://localhost", headers=headers)


def test_a_route_answers(client: httpx2.Client) -> None:
    assert client.post("/echo", json={"text": "one"}).json() == {"text": "one"}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"text": 1}',
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
    answer = client.post("/echo", content=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["msg"]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/json; charset*=%00",  # Django itself cannot parse these two
        "application/json; charset*=nowhere''x",
    ],
)
def test_another_content_type_is_refused(client: httpx2.Client, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = client.post("/echo", content=b'{"text": "x"}', headers=headers)
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
    wrong_method = client.get("/echo")
    assert wrong_method.status_code == 405
    assert wrong_method.json() == {"detail": "Method Not Allowed"}
    assert "POST" in wrong_method.headers["Allow"]
    monkeypatch.setattr(handlers, "is_ready", None)
    broken = client.get("/ready")
    assert broken.status_code == 500
    assert broken.json() == {"detail": "Internal server error"}
    assert broken.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: httpx2.Client) -> None:
    answer = client.post("/echo", content=b" " * (MAX_BYTES + 1))
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
            return await chunked.post("/echo", content=content())

    answer = asyncio.run(post(b'{"text": "one ', b'two"}'))
    assert answer.json() == {"text": "one two"}
    large = asyncio.run(post(b" " * MAX_BYTES, b" "))
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
        headers = {"X-Request-ID": request_id}
        answer = client.post("/echo", json={"text": f"number {number}"}, headers=headers)
        assert answer.headers["X-Request-ID"] == request_id
        return answer.json()["text"]

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(call, range(16))) == [f"number {number}" for number in range(16)]


def test_each_answer_and_log_line_has_the_request_id(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    body = {"text": "one"}
    answer = client.post("/echo", json=body, headers={"X-Request-ID": "abc-123"})
    assert answer.headers["X-Request-ID"] == "abc-123"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/echo", 200)
    forged = client.post("/echo", json=body, headers={"X-Request-ID": "two words"})
    assert forged.headers["X-Request-ID"] != "two words"
