"""What every request passes before the application: WSGI wrappers, outermost first.

`Cors` lets pages of other origins call, `RequestContext` gives each request an id, a log line and headers for browsers, `Limits`
says what is let through. None of them can end a view that takes too long: it runs in a thread. Modal's `timeout` does.
"""

import io
import json
import logging
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from . import logs

# No guessing of types, no address of this page for others, no frame around it. An answer that has one of them keeps it.
# https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
BROWSER_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
)
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SANE_LENGTH = re.compile(r"[0-9]{1,18}")
BODILESS = {"GET", "HEAD", "OPTIONS"}
LONGEST_PATH = 500  # in the log
PROBES = {"/health", "/ready"}  # answered under any load, and to everybody
Headers = list[tuple[str, str]]
log = logging.getLogger(__name__)


class Cors:
    """Lets pages of these origins call, `*` for all, without cookies: https://fetch.spec.whatwg.org/#http-cors-protocol"""

    def __init__(self, app: WSGIApplication, origins: Collection[str]) -> None:
        self.app = app
        self.origins = origins

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN", "")
        if not origin or {origin, "*"}.isdisjoint(self.origins):
            return self.app(environ, start_response)
        allowed = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        ):
            asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            methods = ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
            names = ("Access-Control-Allow-Headers", asked)
            start_response("204 No Content", [*allowed, methods, *([names] if asked else [])])
            return []
        allowed.append(("Access-Control-Expose-Headers", "X-Request-ID"))

        def start(line: str, headers: Headers, *exc_info: Any) -> Callable[[bytes], object]:
            return start_response(line, [*headers, *allowed], *exc_info)

        return self.app(environ, start)


class RequestContext:
    """Gives each request an id (the caller's X-Request-ID where it is sane) and logs one line for it.

    A generator, so that the line comes after the last byte and tells of a stream that broke off.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        sent_id = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = sent_id if SANE_ID.fullmatch(sent_id) else os.urandom(16).hex()
        logs.request_id.set(request_id)
        logs.caller.set(None)  # of the thread's last request
        started = time.perf_counter()
        status = 0

        def start_with_id(line: str, headers: Headers, *exc_info: Any) -> Callable[[bytes], object]:
            nonlocal status
            status = int(line[:3])
            present = {name for name, _ in headers}
            own = [pair for pair in BROWSER_HEADERS if pair[0] not in present]
            return start_response(line, [*headers, *own, ("X-Request-ID", request_id)], *exc_info)

        body: Iterable[bytes] = ()
        try:
            body = self.app(environ, start_with_id)
            yield from body
        except Exception:
            log.exception("unhandled error")
            if status:  # too late for another answer; the server cuts the connection
                raise
            yield from answer(start_with_id, "500 Internal Server Error", "Internal server error")
        finally:
            if hasattr(body, "close"):
                body.close()
            log_request(environ, status, time.perf_counter() - started)


class Limits:
    """Turns away what the application should not see.

    The body is read before the application does, so that it is whole, has a length and is not too large. Flask and Django
    believe Content-Length: of a body in chunks, which has none, they would read nothing.

    Args:
        hosts: names under which it answers, `*.example.com` for all below one; none: under any.
        max_body_bytes: of a body, whatever it says of its length.
        max_in_flight: requests at once; one more is answered with 503.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        hosts: Collection[str],
        max_body_bytes: int,
        max_in_flight: int,
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.max_bytes = max_body_bytes
        # One for each request; a list gives and takes in one step, whatever other threads do.
        self.places = [True] * max_in_flight

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        probe = environ.get("PATH_INFO") in PROBES
        try:
            place = [] if probe else [self.places.pop()]
        except IndexError:
            yield from answer(
                start_response,
                "503 Service Unavailable",
                "Too many requests at once",
                ("Retry-After", "1"),
            )
            return
        body: Iterable[bytes] = ()
        try:
            if refusal := self.refuse(environ):
                line, detail = refusal
                yield from answer(start_response, line, detail)
                return
            body = self.app(environ, start_response)
            yield from body
        finally:
            if hasattr(body, "close"):
                body.close()
            self.places += place

    def refuse(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """The status that a request is not let through with, and a better word for it; None where it is."""
        if not self.is_host(environ):
            return "400 Bad Request", "Unknown host"
        announced = environ.get("CONTENT_LENGTH") or "0"
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if announced == "0" and not chunked and environ["REQUEST_METHOD"] in BODILESS:
            environ["CONTENT_LENGTH"] = announced
            return None
        if not SANE_LENGTH.fullmatch(announced):
            return "400 Bad Request", ""
        length = int(announced)
        if length > self.max_bytes:
            return "413 Content Too Large", ""
        # ASGI servers, Modal's too, mark the end of every body. Elsewhere a read beyond it would hang.
        marked = chunked or "asgi.scope" in environ
        size = length or (self.max_bytes + 1 if marked else 0)
        body = environ["wsgi.input"].read(size) if size else b""
        if len(body) > self.max_bytes:
            return "413 Content Too Large", ""
        if len(body) < length:  # the caller went away
            return "400 Bad Request", ""
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return None

    def is_host(self, environ: WSGIEnvironment) -> bool:
        if not self.hosts:
            return True
        name = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        return name in self.hosts or f"*.{name.partition('.')[2]}" in self.hosts


def answer(
    start_response: StartResponse, line: str, detail: str = "", *headers: tuple[str, str]
) -> list[bytes]:
    """Answer with an error as JSON, in the status line's words where no better ones are given."""
    body = json.dumps({"detail": detail or line[4:]}).encode()
    fixed = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(line, [*fixed, *headers])
    return [body]


def log_request(environ: WSGIEnvironment, status: int, seconds: float) -> None:
    """One line; neither the query string nor a header or body, in which secrets may stand."""
    if log.isEnabledFor(logging.INFO):
        path = environ.get("PATH_INFO", "")[:LONGEST_PATH]
        if not path.isascii():
            path = path.encode("latin-1", "replace").decode("utf-8", "replace")
        extra = {
            "method": environ["REQUEST_METHOD"],
            "path": path,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        # As log.info does, without a look at the stack for the line that calls.
        log.handle(
            log.makeRecord(log.name, logging.INFO, __file__, 0, "request", (), None, extra=extra)
        )
