"""The WSGI wrappers on their own: streams, and bodies of doubtful length."""

import io
from collections.abc import Iterator
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from myapi.middleware import BodyLimit, RequestContext


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

    (answer,) = BodyLimit(echo, max_bytes=10)(environ, lambda status, _: statuses.append(status))
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
