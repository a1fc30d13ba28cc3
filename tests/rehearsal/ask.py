"""One HTTP request as it is on the wire, and its answer: nothing followed, nothing added."""

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

SECONDS = 60


@dataclass(frozen=True)
class Ask:
    """A request. `chunks` makes it a chunked body without Content-Length."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: int = 0

    def __str__(self) -> str:
        size = f", {len(self.body)} bytes" if self.body else ""
        chunked = f" in {self.chunks} chunks" if self.chunks else ""
        return f"{self.method} {self.path}{size}{chunked} {dict(self.headers) or ''}".strip()

    def pieces(self) -> Iterator[bytes]:
        size = -(-len(self.body) // self.chunks)
        yield from (self.body[at : at + size] for at in range(0, len(self.body), size))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case; of several with one name, joined by commas
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def post(path: str, value: object, **headers: str) -> Ask:
    """A request with a JSON body."""
    json_type = {"Content-Type": "application/json"}
    return Ask("POST", path, json_type | headers, json.dumps(value).encode())


def ask(url: str, request: Ask) -> Answer:
    """Send it and return the answer; an answer before the end of a body is taken, as by other clients.

    Raises:
        OSError, HTTPException: when there is no complete answer.
    """
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        try:
            connection.request(
                request.method,
                request.path,
                body=request.pieces() if request.chunks else request.body or None,
                headers=request.headers,
                encode_chunked=bool(request.chunks),
            )
            response = connection.getresponse()
        except (BrokenPipeError, ConnectionResetError):
            if not isinstance(connection.sock, socket.socket):
                raise
            response = HTTPResponse(connection.sock, method=request.method)
            response.begin()
        body = response.read()
    finally:
        connection.close()
    names = {name.lower() for name in response.headers}
    headers = {name: ", ".join(response.headers.get_all(name, [])) for name in names}
    return Answer(response.status, headers, body)
