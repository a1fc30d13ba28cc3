"""What the server of handlers.py answers. Yours, like the code it tests."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from http.server import ThreadingHTTPServer

import pytest

from myapi.handlers import Handler
from myapi.logs import JsonFormatter


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


def ask(
    address: tuple[str, int], path: str, method: str = "GET", **headers: str
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(*address, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize(
    ("method", "path", "status", "content"),
    [
        ("GET", "/", 200, {"message": "Hello, World!"}),
        ("GET", "/?name=Ann", 200, {"message": "Hello, World!"}),
        ("GET", "/health", 200, {"status": "healthy"}),
        ("GET", "/nowhere", 404, {"detail": "Not Found"}),
        ("POST", "/", 501, {"detail": "Unsupported method ('POST')"}),
    ],
)
def test_answers_are_json(
    address: tuple[str, int], method: str, path: str, status: int, content: object
) -> None:
    answer, body = ask(address, path, method)
    assert (answer.status, json.loads(body)) == (status, content)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-ID"]


def test_head_has_no_body(address: tuple[str, int]) -> None:
    answer, body = ask(address, "/", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize("line", [b"nonsense", b"GET", b"GET / HTTP/9.9", b"GET /" + b"x" * 70_000])
def test_a_malformed_request_gets_an_answer(address: tuple[str, int], line: bytes) -> None:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(line + b"\r\n\r\n")
        answer = client.makefile("rb").read()
    assert b'{"detail": ' in answer


def test_each_answer_and_log_line_has_the_request_id(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    answer, _ = ask(address, "/health", **{"X-Request-ID": "abc-123"})
    assert answer.headers["X-Request-ID"] == "abc-123"
    (line,) = (json.loads(line) for line in caplog.text.splitlines())
    assert line["request_id"] == "abc-123"
    assert (line["request"], line["status"]) == ("GET /health HTTP/1.1", 200)
    answer, _ = ask(address, "/health", **{"X-Request-ID": "two words"})
    assert answer.headers["X-Request-ID"] != "two words"
