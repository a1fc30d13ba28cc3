"""Request id, access log, a header for browsers, and JSON for what FastAPI answers in plain text: one ASGI wrapper."""

import logging
import re
import time
import uuid

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs

# A browser takes an answer for what it says it is: https://fetch.spec.whatwg.org/#x-content-type-options-header
NO_SNIFFING = (b"x-content-type-options", b"nosniff")
SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)


class RequestContext:
    """Gives each request an id (the caller's X-Request-ID where it is sane) and logs one line for it."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        sent_id = headers.get(b"x-request-id", b"")
        request_id = sent_id if SANE_ID.fullmatch(sent_id) else uuid.uuid4().hex.encode()
        logs.request_id.set(request_id.decode())
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [NO_SNIFFING, (b"x-request-id", request_id)]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        try:
            # FastAPI counts the bytes that arrive; what announces itself as too large is refused
            # here, because FastAPI would answer it in plain text. 18 digits are always too many.
            announced = headers.get(b"content-length", b"0")[:18]
            if announced.isdigit() and int(announced) > self.max_body_bytes:
                error = JSONResponse({"detail": "Content Too Large"}, status_code=413)
                await error(scope, receive, send_with_id)
            else:
                await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("unhandled error")
            if status:  # too late for another answer; the server cuts the connection
                raise
            error = JSONResponse({"detail": "Internal server error"}, status_code=500)
            await error(scope, receive, send_with_id)
        finally:
            log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round((time.perf_counter() - started) * 1000, 1),
                },
            )
