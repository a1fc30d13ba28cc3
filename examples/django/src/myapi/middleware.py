"""Request ids, access log, a header for browsers, JSON for unforeseen errors, a limit for bodies: two WSGI wrappers."""

import io
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from . import logs

# A browser takes an answer for what it says it is: https://fetch.spec.whatwg.org/#x-content-type-options-header
NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SANE_LENGTH = re.compile(r"[0-9]{1,18}")
log = logging.getLogger(__name__)


class RequestContext:
    """Gives each request an id (the caller's X-Request-ID where it is sane) and logs one line for it.

    A generator, so that the line comes after the last byte and tells of a stream that broke off.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        sent_id = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = sent_id if SANE_ID.fullmatch(sent_id) else uuid.uuid4().hex
        logs.request_id.set(request_id)
        logs.caller.set(None)  # of the thread's last request
        started = time.perf_counter()
        status = 0

        def start_with_id(
            line: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            nonlocal status
            status = int(line[:3])
            own = [("X-Request-ID", request_id)]
            if NO_SNIFFING not in headers:  # Django has it already
                own.append(NO_SNIFFING)
            return start_response(line, [*headers, *own], *exc_info)

        try:
            body = self.app(environ, start_with_id)
            try:
                yield from body
            finally:
                if hasattr(body, "close"):
                    body.close()
        except Exception:
            log.exception("unhandled error")
            if status:  # too late for another answer; the server cuts the connection
                raise
            yield from answer(start_with_id, "500 Internal Server Error", "Internal server error")
        finally:
            path = environ.get("PATH_INFO", "").encode("latin-1", "replace")
            log.info(
                "request",
                extra={
                    "method": environ["REQUEST_METHOD"],
                    "path": path.decode("utf-8", "replace"),
                    "status": status,
                    "milliseconds": round((time.perf_counter() - started) * 1000, 1),
                },
            )


class BodyLimit:
    """Reads the body before the application does, so that it is whole, has a length and is not too large.

    Flask and Django believe Content-Length: of a body in chunks, which has none, they would read nothing.
    """

    def __init__(self, app: WSGIApplication, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        announced = environ.get("CONTENT_LENGTH") or "0"
        if not SANE_LENGTH.fullmatch(announced):
            return answer(start_response, "400 Bad Request")
        length = int(announced)
        if length > self.max_bytes:
            return answer(start_response, "413 Content Too Large")
        # ASGI servers, Modal's too, mark the end of every body. Elsewhere a read beyond it would hang.
        marked = "asgi.scope" in environ or "HTTP_TRANSFER_ENCODING" in environ
        body = environ["wsgi.input"].read(length or (self.max_bytes + 1 if marked else 0))
        if len(body) > self.max_bytes:
            return answer(start_response, "413 Content Too Large")
        if len(body) < length:  # the caller went away
            return answer(start_response, "400 Bad Request")
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return self.app(environ, start_response)


def answer(
    start_response: StartResponse, line: str, detail: str = "", *headers: tuple[str, str]
) -> list[bytes]:
    """Answer with an error as JSON, in the status line's words where no better ones are given."""
    body = json.dumps({"detail": detail or line[4:]}).encode()
    fixed = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(line, [*fixed, *headers])
    return [body]
