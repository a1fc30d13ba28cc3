"""The gate around an application of these tests: what reaches the engine, and what does not."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from myapi.gate import KEY, Gate

KNOWN = "k" * 64
HIDDEN = "/release_memory_occupation"
CALLER: dict[str, str] = {}


async def engine(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything, with what it was asked."""
    if scope["type"] == "http":
        body = await Request(scope, receive).body()
        await JSONResponse({"path": scope["path"], "bytes": len(body)})(scope, receive, send)
    else:
        await send({"type": "websocket.accept"})


def ask(method: str, path: str, content: object = None, **headers: str) -> httpx2.Response:
    async def call() -> httpx2.Response:
        transport = httpx2.ASGITransport(Gate(engine), raise_app_exceptions=False)
        url = f"http://api.example.com{path}"
        async with httpx2.AsyncClient(transport=transport) as client:
            return await client.request(method, url, content=content, headers=headers)  # type: ignore[arg-type]

    return asyncio.run(asyncio.wait_for(call(), 10))


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/v1/"])
def test_the_api_is_passed_on(path: str) -> None:
    assert ask("POST", path, b"12345", **CALLER).json() == {"path": path, "bytes": 5}


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_anybody_may_ask_whether_it_is_up(path: str) -> None:
    assert ask("GET", path).json() == {"path": "/health", "bytes": 0}


@pytest.mark.parametrize(
    "path", ["/", HIDDEN, "/v1", "/v1x/models", "/V1/models", "/metrics", "/health/"]
)
def test_nothing_else_is(path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = ask(method, path, **CALLER)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
        assert answer.headers["X-Request-ID"]


def test_more_paths_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHS", '["/v1/", "/tokenize"]')
    assert ask("POST", "/tokenize", **CALLER).status_code == 200
    assert ask("POST", HIDDEN, **CALLER).status_code == 404


def test_who_has_the_key_comes_from_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, KNOWN)
    inside = ask("POST", HIDDEN, Authorization=f"Bearer {KNOWN}")
    assert inside.json()["path"] == HIDDEN
    for wrong in ("", "Bearer", KNOWN, f"Bearer {KNOWN[:-1]}", f"Bearer {KNOWN}k"):
        answer = ask("POST", HIDDEN, Authorization=wrong)
        assert answer.status_code == 404


def test_without_a_key_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    for shown in ("", "Bearer", "Bearer "):
        outside = ask("POST", HIDDEN, **CALLER | {"Authorization": shown})
        assert outside.status_code == 404
    assert ask("POST", HIDDEN, **CALLER).status_code == 404


def test_a_large_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BODY_BYTES", "1000")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    assert ask("POST", "/v1/", b"x" * 1000, **CALLER).json()["bytes"] == 1000
    for body in (b"x" * 1001, chunks()):
        answer = ask("POST", "/v1/", body, **CALLER)
        assert (answer.status_code, answer.json()) == (413, {"detail": "Content Too Large"})


def answers(scope: Scope, *messages: Message) -> list[Message]:
    """What it sends to somebody who sends these."""
    sent: list[Message] = []
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in CALLER.items()]
    asyncio.run(Gate(engine)({**scope, "headers": headers}, receive, send))
    return sent


def test_a_body_that_breaks_off_is_not_passed_on() -> None:
    begun = {"type": "http.request", "body": b"1", "more_body": True}
    scope = {"type": "http", "method": "POST", "path": "/v1/"}
    first, *_ = answers(scope, begun, {"type": "http.disconnect"})
    assert first["status"] == 400


def test_it_answers_under_its_own_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENFORCED_HOSTS", '["other.example.com"]')
    assert ask("GET", "/v1/models", **CALLER).status_code == 400
    monkeypatch.setenv(KEY, KNOWN)
    inside = ask("GET", "/health", Authorization=f"Bearer {KNOWN}")
    assert inside.status_code == 200, "its own start would fail"


@pytest.mark.parametrize(("path", "said"), [("/v1/realtime", "accept"), (HIDDEN, "close")])
def test_sockets_pass_as_requests_do(path: str, said: str) -> None:
    first, *_ = answers({"type": "websocket", "path": path}, {"type": "websocket.connect"})
    assert first["type"] == f"websocket.{said}"
