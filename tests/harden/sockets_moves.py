"""Proper requests, sent as no browser would: slowly, in part, by the thousand, or without an ear for the answer."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SECONDS = 2.0  # for an answer to another client meanwhile


@dataclass(frozen=True)
class Request:
    """A style's own request, and whether to send very many."""

    port: int
    line: bytes
    body: bytes
    full: bool

    def many(self, number: int) -> int:
        return number if self.full else number // 5

    @property
    def head(self) -> bytes:
        fields = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        return self.line + b" HTTP/1.1\r\n" + fields % len(self.body) + b"\r\n"


Move = Callable[[Request], Iterator[str]]


def slow_heads(request: Request) -> Iterator[str]:
    """Twenty clients, who send a byte each in turn."""
    with connections(request.port, 20) as clients:
        whole = request.head + request.body
        for place in range(len(whole)):
            for client in clients:
                client.sendall(whole[place : place + 1])
            if place % 40 == 0:
                yield from others_are_served(request)
        for number, client in enumerate(clients):
            answer = first(client)
            if not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 405")):
                yield f"client {number} got {answer[:60]!r}"


def idle(request: Request) -> Iterator[str]:
    with connections(request.port, request.many(1000)):
        for _ in range(20):
            yield from others_are_served(request)


def half_heads(request: Request) -> Iterator[str]:
    with connections(request.port, request.many(1000)) as clients:
        for client in clients:
            client.sendall(request.head[:30])
        yield from others_are_served(request)


def half_bodies(request: Request) -> Iterator[str]:
    """Fewer than one container is sent at once, by `max_inputs` in modal_app.py."""
    with connections(request.port, 40) as clients:
        for client in clients:
            client.sendall(request.head + request.body[:5])
        time.sleep(0.3)
        yield from others_are_served(request)


def storm(request: Request) -> Iterator[str]:
    """Connect and close, every other time with a reset."""
    for number in range(request.many(2000)):
        client = socket.create_connection(("127.0.0.1", request.port), timeout=5)
        (reset if number % 2 else socket.socket.close)(client)
    yield from others_are_served(request)


def gone_before_the_answer(request: Request) -> Iterator[str]:
    """Their work may be done all the same: it came before that of others, who wait for it, and for no more."""
    number = request.many(1000)
    work = number * one_by_one(request)
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", request.port), timeout=5)
        client.sendall(request.head + request.body)
        reset(client)
    yield from others_are_served(request, SECONDS + work)


def gone_within_the_body(request: Request) -> Iterator[str]:
    for _ in range(request.many(1000)):
        client = socket.create_connection(("127.0.0.1", request.port), timeout=5)
        client.sendall(request.head + request.body[:5])
        reset(client)
    yield from others_are_served(request)


def deaf(request: Request) -> Iterator[str]:
    """Clients who ask for more than any buffer holds, and never read an answer."""
    whole = (request.head + request.body) * 400
    with connections(request.port, 5) as clients:
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.setblocking(False)
            with contextlib.suppress(OSError):
                client.send(whole)
        time.sleep(2)
        yield from others_are_served(request)


MOVES: dict[str, Move] = {
    "uvicorn: heads that come a byte at a time are answered, and hold up nobody": slow_heads,
    "uvicorn: idle connections hold up nobody": idle,
    "uvicorn: half heads hold up nobody": half_heads,
    "application: half bodies hold up nobody": half_bodies,
    "uvicorn: a storm of connections that close leaves nothing": storm,
    "application: clients who are gone before the answer leave nothing": gone_before_the_answer,
    "application: clients who are gone within the body leave nothing": gone_within_the_body,
    "uvicorn: clients who never read hold up nobody": deaf,
}


def one_by_one(request: Request) -> float:
    """The seconds that one request takes, its connection too, where nobody else asks."""
    started = time.monotonic()
    for _ in range(20):
        with connections(request.port, 1) as (client,):
            client.sendall(request.head + request.body)
            first(client)
    return (time.monotonic() - started) / 20


def others_are_served(request: Request, seconds: float = SECONDS) -> Iterator[str]:
    started = time.monotonic()
    with connections(request.port, 1) as (client,):
        client.settimeout(2 * seconds)
        client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = first(client)
    took = time.monotonic() - started
    if not answer.startswith(b"HTTP/1.1 200") or took > seconds:
        yield f"another client got {answer[:15]!r} after {took:.1f} seconds"


def first(client: socket.socket) -> bytes:
    """The first bytes of an answer; none where it is cut or does not come."""
    try:
        return client.recv(65_536)
    except OSError:
        return b""


def reset(client: socket.socket) -> None:
    """Close a connection with RST, as a client does that crashes."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextlib.contextmanager
def connections(port: int, number: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            for _ in range(number)
        ]
