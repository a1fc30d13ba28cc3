"""Requests as bytes, for what no client library would send, and answers as they come."""

import contextlib
import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = 5.0
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Request:
    """One request, byte by byte.

    Attributes:
        headers: beside Host, Connection and the length of the body, which are added unless they stand here.
        chunk: the body goes in chunks of so many bytes; 0: whole, with a length.
        has_token: whether the caller's token goes with it.
    """

    method: bytes
    target: bytes
    headers: Headers = ()
    body: bytes = b""
    chunk: int = 0
    has_token: bool = True
    version: bytes = b"HTTP/1.1"

    def encode(self, credentials: Mapping[str, str]) -> bytes:
        body, headers = self.body, [*self.headers]
        given = {name.lower() for name, _ in headers}
        added = [(b"Host", b"127.0.0.1"), (b"Connection", b"close")]
        if self.has_token:
            added += [(name.encode(), value.encode()) for name, value in credentials.items()]
        if self.chunk:
            added.append((b"Transfer-Encoding", b"chunked"))
            pieces = [body[at : at + self.chunk] for at in range(0, len(body), self.chunk)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        elif body or self.method in (b"POST", b"PUT", b"PATCH"):
            added.append((b"Content-Length", b"%d" % len(body)))
        headers += [pair for pair in added if pair[0].lower() not in given]
        lines = [b"%b %b %b" % (self.method, self.target, self.version)]
        lines += [b"%b: %b" % pair for pair in headers]
        return b"\r\n".join([*lines, b"", body])

    def __str__(self) -> str:
        headers = "".join(f" {name!r}: {value[:60]!r}" for name, value in self.headers)
        body = f" with {len(self.body)} bytes {self.body[:120]!r}" if self.body else ""
        token = "" if self.has_token else " without the token"
        chunks = f" in chunks of {self.chunk}" if self.chunk else ""
        return f"{self.method[:40]!r} {self.target[:120]!r}{headers[:400]}{body}{chunks}{token}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def send(port: int, content: bytes, method: bytes) -> Answer:
    """Send bytes over a connection of their own and read the whole answer.

    Raises:
        OSError: when none comes in time.
        http.client.HTTPException: when what comes is no answer, or breaks off.
    """
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        # It may have heard enough; then the answer is there.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(content)
        answer = http.client.HTTPResponse(connection, method=method.decode("latin-1"))
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())
