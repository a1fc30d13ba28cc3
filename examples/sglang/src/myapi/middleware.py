"""What every request passes before the application: plain ASGI, so that it costs little.

`RequestContext` gives it an id, a log line and headers for browsers; `Limits` says what is let through, and for how long.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs

# No guessing of types, no address of this page for others, no frame around it. An answer that has one of them keeps it.
# https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
BROWSER_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
LONGEST_PATH = 500  # in the log
PROBES = {"/health", "/ready"}  # answered under any load, and to everybody
log = logging.getLogger(__name__)

# What any route may answer instead of its own, for the OpenAPI document.
DETAIL = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
PROBLEM = {"application/json": {"schema": DETAIL}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": PROBLEM}
    for status in (400, 413, 500, 503, 504)
}


def as_json(scope: Scope, error: HTTPException) -> JSONResponse:
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


class RequestContext:
    """Gives each request an id (the caller's X-Request-ID where it is sane) and logs one line for it.

    Whatever comes out of `app` as an exception is answered: an HTTPException as it says, everything else with 500.

    Args:
        answer: makes an answer of such an exception.
    """

    def __init__(
        self, app: ASGIApp, answer: Callable[[Scope, HTTPException], ASGIApp] = as_json
    ) -> None:
        self.app = app
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent_id = header(scope, b"x-request-id")
        request_id = sent_id if SANE_ID.fullmatch(sent_id) else os.urandom(16).hex().encode()
        logs.request_id.set(request_id.decode())
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers += [pair for pair in BROWSER_HEADERS if pair[0] not in present]
                message["headers"] = [*headers, (b"x-request-id", request_id)]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            if not isinstance(error, HTTPException):
                log.exception("unhandled error")
                error = HTTPException(500, "Internal server error")
            if status:  # too late for another answer; the server cuts the connection
                raise
            await self.answer(scope, error)(scope, receive, send_with_id)
        finally:
            log_request(scope, status, time.perf_counter() - started)


class Limits:
    """Turns away what the application should not see, and ends what takes too long.

    Args:
        hosts: names under which it answers, `*.example.com` for all below one; none: under any.
        max_body_bytes: of a body that says how long it is. The application counts the bytes of one that does not.
        max_in_flight: requests at once; one more is answered with 503.
        seconds: for one request; then 504, or, where the answer has begun, an end in the middle. A plain `def` goes on in
            its thread, which nobody can end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        max_body_bytes: int,
        max_in_flight: int,
        seconds: float,
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.max_body_bytes = max_body_bytes
        self.max_in_flight = max_in_flight
        self.seconds = seconds
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.check(scope)
            self.in_flight += 1
            try:
                async with asyncio.timeout(self.seconds) as deadline:
                    await self.app(scope, receive, send)
            except TimeoutError:
                if not deadline.expired():  # it is the application's own
                    raise
                raise HTTPException(504, f"No answer within {self.seconds:g} seconds") from None
            finally:
                self.in_flight -= 1
        elif scope["type"] == "websocket" and not self.is_host(scope):
            await send({"type": "websocket.close", "code": 1008, "reason": "Unknown host"})
        else:
            await self.app(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Raise HTTPException for a request that is not let through."""
        if not self.is_host(scope):
            raise HTTPException(400, "Unknown host")
        # What announces itself as too large is refused before any of it is read. 18 digits always are.
        announced = header(scope, b"content-length")[:18]
        if announced.isdigit() and int(announced) > self.max_body_bytes:
            raise HTTPException(413, "Content Too Large")
        if self.in_flight >= self.max_in_flight and scope["path"] not in PROBES:
            raise HTTPException(503, "Too many requests at once", {"Retry-After": "1"})

    def is_host(self, scope: Scope) -> bool:
        if not self.hosts:
            return True
        name = header(scope, b"host").decode("latin-1").partition(":")[0].lower()
        return name in self.hosts or f"*.{name.partition('.')[2]}" in self.hosts


def header(scope: Scope, name: bytes) -> bytes:
    """The first of that name, which is also what the application sees; none is empty."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """One line; neither the query string nor a header or body, in which secrets may stand."""
    if log.isEnabledFor(logging.INFO):
        extra = {
            "method": scope["method"],
            "path": scope["path"][:LONGEST_PATH],
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        # As log.info does, without a look at the stack for the line that calls.
        log.handle(
            log.makeRecord(log.name, logging.INFO, __file__, 0, "request", (), None, extra=extra)
        )
