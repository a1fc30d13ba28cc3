"""The WSGI wrappers on their own, around applications of these tests."""

import io
import json
from collections.abc import Iterator
from wsgiref.headers import Headers
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from myapi.logs import JsonFormatter
from myapi.middleware import Cors, Limits, RequestContext

LOOSE = {"hosts": [], "max_body_bytes": 10, "max_in_flight": 10}
PAGE = "https://app.example.com"


class Stream:
    """An application that makes its answer while it is sent."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.closed = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> "Stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed += 1


def request(body: bytes = b"", **more: object) -> WSGIEnvironment:
    environ: WSGIEnvironment = {"REQUEST_METHOD": "POST", "QUERY_STRING": ""}
    environ |= {"wsgi.input": io.BytesIO(body), **more}
    setup_testing_defaults(environ)
    return environ


def start_response(*_: object) -> object:
    return lambda data: None


def test_a_stream_passes_piece_by_piece(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stream = Stream(b"one", b"two")
    answer = validator(RequestContext(validator(stream)))(request(), start_response)
    pieces = iter(answer)
    assert next(pieces) == b"one"
    assert not caplog.messages, "it is not over yet"
    assert list(pieces) == [b"two"]
    assert caplog.messages == ["request"]
    answer.close()
    assert stream.closed == 1


def test_a_stream_that_is_not_read_to_its_end_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stream = Stream(b"one", b"two")
    answer = RequestContext(stream)(request(), start_response)
    assert next(answer) == b"one"
    answer.close()
    assert stream.closed == 1
    assert caplog.messages == ["request"]


def test_a_stream_that_fails_is_logged_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stream = Stream(b"one", ValueError("broken"))
    answer = RequestContext(stream)(request(), start_response)
    assert next(answer) == b"one"
    with pytest.raises(ValueError, match="broken"):
        next(answer)
    assert stream.closed == 1
    assert caplog.messages == ["unhandled error", "request"]


def read_body(environ: WSGIEnvironment) -> bytes | str:
    """What the application gets behind a limit of 10 bytes, or the status that it does not get it with."""
    statuses = []

    def echo(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]

    app = Limits(echo, **LOOSE)
    (answer,) = app(environ, lambda status, _: statuses.append(status))
    return statuses[0] if statuses else answer


@pytest.mark.parametrize(
    ("length", "seen"),
    [
        ("3", b"abc"),
        ("2", b"ab"),  # a server keeps what comes after it for the next request
        ("4", "400 Bad Request"),
        ("-1", "400 Bad Request"),
        ("many", "400 Bad Request"),
        ("9" * 5000, "400 Bad Request"),
        ("11", "413 Content Too Large"),
    ],
)
def test_a_length_is_not_believed(length: str, seen: bytes | str) -> None:
    assert read_body(request(b"abc", CONTENT_LENGTH=length)) == seen


@pytest.mark.parametrize("mark", [{"asgi.scope": {}}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_a_body_without_length_is_read_to_its_end(mark: dict[str, object]) -> None:
    assert read_body(request(b"0123456789", **mark)) == b"0123456789"
    assert read_body(request(b"0123456789+", **mark)) == "413 Content Too Large"


def test_an_input_without_end_is_not_waited_for() -> None:
    class Socket(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size == 0, "this would wait for ever"
            return b""

    assert read_body(request(**{"wsgi.input": Socket()})) == b""
    get = {"REQUEST_METHOD": "GET", "asgi.scope": {}}
    assert read_body(request(**{"wsgi.input": Socket()}, **get)) == b""


def call(app: WSGIApplication, **environ: object) -> tuple[str, Headers, bytes]:
    """The answer to a request: status, headers and body."""
    started: list[tuple[str, Headers]] = []
    asked = request() | {"REQUEST_METHOD": "GET", **environ}
    body = b"".join(app(asked, lambda line, headers, *_: started.append((line, Headers(headers)))))
    ((line, headers),) = started
    return line, headers, body


def test_one_more_than_may_be_in_flight_is_turned_away() -> None:
    app = Limits(Stream(b"done"), **LOOSE | {"max_in_flight": 1})
    first = app(request(), start_response)
    next(first)
    line, headers, body = call(app)
    assert line == "503 Service Unavailable"
    assert headers["Retry-After"]
    assert json.loads(body) == {"detail": "Too many requests at once"}
    assert call(app, PATH_INFO="/health")[0] == "200 OK", "a probe waits for nobody"
    first.close()
    assert call(app)[0] == "200 OK", "the place is free again"


def test_who_fails_gives_its_place_back() -> None:
    app = Limits(Stream(ValueError("broken")), **LOOSE | {"max_in_flight": 1})
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            call(app)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.example.com", "200 OK"),
        ("API.example.com:443", "200 OK"),
        ("v2.example.org", "200 OK"),
        ("example.org", "400 Bad Request"),
        ("a.v2.example.org", "400 Bad Request"),
        ("me--api.modal.run", "400 Bad Request"),
        ("api.example.com.evil.net", "400 Bad Request"),
        ("", "400 Bad Request"),
    ],
)
def test_another_host_is_refused(host: str, status: str) -> None:
    hosts = ["api.example.com", "*.example.org"]
    assert call(Limits(Stream(), **LOOSE | {"hosts": hosts}), HTTP_HOST=host)[0] == status
    assert call(Limits(Stream(), **LOOSE), HTTP_HOST=host)[0] == "200 OK", "unless set, any will do"


def test_headers_for_browsers_come_with_every_answer_and_replace_none() -> None:
    def own(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("X-Frame-Options", "SAMEORIGIN")])
        return [b"done"]

    def fail(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        raise ValueError("broken")

    for app, frames in ((Stream(b"done"), "DENY"), (fail, "DENY"), (own, "SAMEORIGIN")):
        headers = call(RequestContext(app))[1]
        assert headers.get_all("X-Frame-Options") == [frames]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Request-ID"]


def test_pages_of_allowed_origins_may_call() -> None:
    app = Cors(RequestContext(Stream(b"done")), [PAGE])
    line, headers, body = call(app, HTTP_ORIGIN=PAGE)
    assert (line, body) == ("200 OK", b"done")
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Access-Control-Expose-Headers"] == "X-Request-ID"
    assert headers["Vary"] == "Origin"
    for other in ("https://evil.example", "null", PAGE + ".evil.net"):
        assert "Access-Control-Allow-Origin" not in call(app, HTTP_ORIGIN=other)[1]
    everybody = Cors(Stream(b"done"), ["*"])
    assert call(everybody, HTTP_ORIGIN=PAGE)[1]["Access-Control-Allow-Origin"] == PAGE
    assert "Vary" not in call(everybody)[1]


def test_a_preflight_is_answered_before_the_application() -> None:
    ask = {
        "REQUEST_METHOD": "OPTIONS",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "authorization, content-type",
    }
    app = Cors(Stream(ValueError("asked")), [PAGE])
    line, headers, _ = call(app, HTTP_ORIGIN=PAGE, **ask)
    assert line == "204 No Content"
    assert headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "PUT" in headers["Access-Control-Allow-Methods"]
    with pytest.raises(ValueError, match="asked"):
        call(app, HTTP_ORIGIN="https://evil.example", **ask)


def test_each_request_has_a_log_line_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    caplog.handler.setFormatter(JsonFormatter())
    app = RequestContext(Stream(b"done"))
    secrets = {"QUERY_STRING": "key=secret", "HTTP_AUTHORIZATION": "Bearer secret"}
    call(app, PATH_INFO="/a\nb", HTTP_X_REQUEST_ID="one", **secrets)
    call(app, PATH_INFO="/" + "x" * 5_000)
    first, second = caplog.text.splitlines()
    assert "secret" not in first
    line = json.loads(first)
    assert (line["request_id"], line["method"], line["path"]) == ("one", "GET", "/a\nb")
    assert len(json.loads(second)["path"]) == 500
