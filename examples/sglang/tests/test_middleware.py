"""The ASGI middleware on its own, around applications of these tests."""

import asyncio
import json
import logging
import threading
from collections.abc import Coroutine
from typing import TypeVar

import httpx2
import pytest
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myapi.logs import JsonFormatter
from myapi.middleware import Limits, RequestContext

Result = TypeVar("Result")
LOOSE = {"hosts": [], "max_body_bytes": 1_000, "max_in_flight": 10, "seconds": 10}


class Gate:
    """An application that answers when it is let; whoever waits in it is counted."""

    def __init__(self, places: int = 1) -> None:
        self.places = places
        self.open = asyncio.Event()
        self.full = asyncio.Event()  # as many are inside as may be
        self.inside = 0
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        if self.inside == self.places:
            self.full.set()
        try:
            if scope["path"] != "/health":
                await self.open.wait()
            await answer(scope, receive, send)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": scope.get("answer", [])})
    await send({"type": "http.response.body", "body": b"done"})


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run it, and fail where it never ends."""
    return asyncio.run(asyncio.wait_for(work, 10))


def client(app: ASGIApp, **limits: object) -> httpx2.AsyncClient:
    whole = RequestContext(Limits(app, **LOOSE | limits))  # type: ignore[arg-type]
    transport = httpx2.ASGITransport(whole, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://api.example.com")


def get(
    app: ASGIApp, path: str = "/", headers: dict[str, str] | None = None, **limits: object
) -> httpx2.Response:
    async def call() -> httpx2.Response:
        async with client(app, **limits) as session:
            return await session.get(path, headers=headers)

    return run(call())


def test_one_more_than_may_be_in_flight_is_turned_away() -> None:
    async def crowd() -> None:
        gate = Gate(2)
        async with client(gate, max_in_flight=2) as session:
            waiting = [asyncio.create_task(session.get("/")) for _ in range(2)]
            await gate.full.wait()
            refused = await session.get("/")
            assert refused.status_code == 503
            assert refused.headers["Retry-After"]
            assert refused.json() == {"detail": "Too many requests at once"}
            assert (await session.get("/health")).status_code == 200, "a probe waits for nobody"
            gate.open.set()
            assert [(await each).status_code for each in waiting] == [200, 200]
            assert (await session.get("/")).status_code == 200, "the places are free again"

    run(crowd())


def test_who_fails_or_leaves_gives_its_place_back() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError

    async def come_and_go() -> None:
        async with client(fail, max_in_flight=1) as session:
            assert [(await session.get("/")).status_code for _ in range(3)] == [500] * 3
        gate = Gate()
        async with client(gate, max_in_flight=1) as session:
            leaving = asyncio.create_task(session.get("/"))
            await gate.full.wait()
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            gate.open.set()
            assert (await session.get("/")).status_code == 200

    run(come_and_go())


def test_what_takes_too_long_is_answered_and_ended() -> None:
    async def wait() -> None:
        gate = Gate()
        async with client(gate, seconds=0.05) as session:
            late = await session.get("/")
            assert late.status_code == 504
            assert late.json() == {"detail": "No answer within 0.05 seconds"}
            assert (gate.inside, gate.cancelled) == (0, 1)
            gate.open.set()
            assert (await session.get("/")).status_code == 200

    run(wait())


def test_a_thread_is_not_waited_for() -> None:
    release = threading.Event()

    async def block(scope: Scope, receive: Receive, send: Send) -> None:
        await run_in_threadpool(release.wait, 10)
        await answer(scope, receive, send)

    async def wait() -> None:
        async with client(block, seconds=0.05) as session:
            assert (await session.get("/")).status_code == 504
        assert not release.is_set()
        release.set()

    run(wait())


def test_a_timeout_of_the_applications_own_is_its_error() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("the database")

    assert get(fail).status_code == 500


def test_an_answer_that_has_begun_is_cut() -> None:
    async def trickle(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = RequestContext(Limits(trickle, **LOOSE | {"seconds": 0.05}))  # type: ignore[arg-type]
    scope = {"type": "http", "path": "/", "method": "GET", "headers": []}
    with pytest.raises(Exception, match="No answer within"):
        run(app(scope, None, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.example.com", 200),
        ("API.example.com:443", 200),
        ("v2.example.org", 200),
        ("example.org", 400),
        ("a.v2.example.org", 400),
        ("me--api.modal.run", 400),
        ("api.example.com.evil.net", 400),
        ("", 400),
    ],
)
def test_another_host_is_refused(host: str, status: int) -> None:
    hosts = ["api.example.com", "*.example.org"]
    refused = get(answer, headers={"Host": host}, hosts=hosts)
    assert refused.status_code == status
    assert get(answer, headers={"Host": host}).status_code == 200, "unless set, any will do"


def test_a_socket_under_another_host_is_refused() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = Limits(answer, **LOOSE | {"hosts": ["api.example.com"]})  # type: ignore[arg-type]
    scope = {"type": "websocket", "path": "/ws", "headers": [(b"host", b"me--api.modal.run")]}
    run(app(scope, None, send))  # type: ignore[arg-type]
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


@pytest.mark.parametrize(
    ("length", "status"), [("1000", 200), ("1001", 413), ("9" * 30, 413), ("x", 200), ("-1", 200)]
)
def test_a_body_that_says_that_it_is_too_large_is_not_read(length: str, status: int) -> None:
    assert get(answer, headers={"Content-Length": length}).status_code == status


def test_headers_for_browsers_come_with_every_answer_and_replace_none() -> None:
    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        await answer({**scope, "answer": [(b"x-frame-options", b"SAMEORIGIN")]}, receive, send)

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("secret detail")

    for app, frames in ((answer, "DENY"), (fail, "DENY"), (own, "SAMEORIGIN")):
        headers = get(app).headers
        assert headers.get_list("X-Frame-Options") == [frames]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Request-ID"]


def test_each_request_has_a_log_line_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    headers = {"X-Request-ID": "one", "Authorization": "Bearer secret"}
    get(answer, "/a%0Ab?key=secret", headers=headers)
    get(answer, "/" + "x" * 5_000)
    first, second = (line for line in caplog.text.splitlines() if '"request"' in line)
    assert "secret" not in first
    line = json.loads(first)
    assert (line["request_id"], line["method"], line["path"]) == ("one", "GET", "/a\nb")
    assert len(json.loads(second)["path"]) == 500
