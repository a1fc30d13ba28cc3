"""Frames that are no proper ones, against a socket server: each ends that one socket, with the right code.

Modal's edge speaks the protocol itself and hands messages on, so most of it is the local server's doing.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from harden.service import Service

SECONDS = 5.0
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


@dataclass(frozen=True)
class Frames:
    """Bytes after a proper handshake.

    Attributes:
        name: the claim.
        ends: codes of the close frame that may come back; 0 is a connection that is cut without one.
        echo: whether an answer must come instead.
    """

    name: str
    sent: bytes
    ends: tuple[int, ...] = (1002, 0)
    echo: bool = False


def frame(
    kind: int, content: bytes, last: bool = True, masked: bool = True, bits: int = 0
) -> bytes:
    """One frame; masked with zeros, which leaves the content as it is."""
    size, mask = len(content), 0x80 if masked else 0
    length = bytes([mask | size]) if size < 126 else bytes([mask | 127]) + struct.pack(">Q", size)
    return bytes([0x80 * last | bits | kind]) + length + bytes(4 * masked) + content


def announced(length: int) -> bytes:
    return bytes([0x81, 0x80 | 127]) + struct.pack(">Q", length) + bytes(4) + b"a" * 100


CASES = (
    Frames("application: text comes back", frame(TEXT, b"one"), (), echo=True),
    Frames("uvicorn: text in two frames comes back", frame(TEXT, b"on", last=False) + frame(0, b"e"), (), True),
    Frames("uvicorn: refuses a frame without a mask", frame(TEXT, b"one", masked=False)),
    Frames("uvicorn: refuses a reserved kind", frame(3, b"one")),
    Frames("uvicorn: refuses a reserved kind of control", frame(11, b"one")),
    Frames("uvicorn: refuses a reserved bit", frame(TEXT, b"one", bits=0x20)),
    Frames("uvicorn: refuses a compressed frame that was not agreed on", frame(TEXT, b"one", bits=0x40)),
    Frames("uvicorn: refuses a ping in parts", frame(PING, b"one", last=False)),
    Frames("uvicorn: refuses a ping of 126 bytes", frame(PING, b"a" * 126)),
    Frames("uvicorn: refuses a continuation of nothing", frame(0, b"one")),
    Frames("uvicorn: refuses a text within a text", frame(TEXT, b"a", last=False) + frame(TEXT, b"b")),
    Frames("uvicorn: refuses half a character", frame(TEXT, b"\xc3"), (1007, 0)),
    Frames("uvicorn: refuses half a surrogate", frame(TEXT, b"\xed\xa0\x80"), (1007, 0)),
    Frames("uvicorn: refuses a length of 2**62", announced(2**62), (1009, 1002, 0)),
    Frames("uvicorn: refuses a length of 2**63", announced(2**63), (1009, 1002, 0)),
    Frames("uvicorn: refuses a length of 20 MB before it is there", announced(20_000_000), (1009, 0)),
    Frames("uvicorn: refuses a close frame of one byte", frame(CLOSE, b"a")),
    Frames("uvicorn: refuses a code that is never sent", frame(CLOSE, struct.pack(">H", 1005))),
    Frames("uvicorn: refuses a code below 1000", frame(CLOSE, struct.pack(">H", 999))),
    Frames("uvicorn: refuses half a character in a reason", frame(CLOSE, struct.pack(">H", 1000) + b"\xc3"), (1007, 1002, 0)),
    Frames("uvicorn: answers a close frame without a code", frame(CLOSE, b""), (1000, 1005, 0)),
    Frames("uvicorn: answers a close frame", frame(CLOSE, struct.pack(">H", 1000)), (1000,)),
    Frames("application: refuses binary", frame(BINARY, b"one"), (1003,)),
    Frames("application: refuses what is larger than its limit", frame(TEXT, b"a" * 70_000), (1009,)),
    Frames("application: refuses small parts of what is larger", frame(TEXT, b"", last=False)
           + frame(0, b"a" * 1000, last=False) * 70 + frame(0, b""), (1009,)),
    Frames("application: refuses a flood", frame(TEXT, b"one") * 500, (1008,), echo=True),
)  # fmt: skip


def judge(service: Service, case: Frames) -> Iterator[str]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=SECONDS) as client:
        fields = "".join(f"{name}: {value}\r\n" for name, value in service.headers.items())
        client.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        received = b""
        while b"\r\n\r\n" not in received and (data := client.recv(4096)):
            received += data
        head, _, rest = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            yield f"no handshake: {head[:60]!r}"
            return
        echoed, code = told(client, rest, case)
    if case.echo and not echoed:
        yield "nothing came back"
    if case.ends and code not in case.ends:
        yield f"ended with {code}, not with {' or '.join(map(str, case.ends))}"


def told(client: socket.socket, received: bytes, case: Frames) -> tuple[bool, int | None]:
    """Whether an echo came, and the code of the close frame: 0 where it was cut, None where it is still open."""
    echoed = False
    try:
        client.sendall(case.sent)
        while True:
            while (found := split(received)) is None:
                data = client.recv(65_536)
                if not data:
                    return echoed, 0
                received += data
            kind, content, received = found
            if kind == CLOSE:
                return echoed, struct.unpack(">H", content[:2])[0] if content else 1005
            echoed = echoed or (kind == TEXT and content.startswith(b"Echo: "))
            if echoed and not case.ends:
                return True, None
    except TimeoutError:
        return echoed, None
    except OSError:
        return echoed, 0


def split(received: bytes) -> tuple[int, bytes, bytes] | None:
    """The kind and content of the first frame of a server, and what follows; None while it is not whole."""
    if len(received) < 2:
        return None
    size, start = received[1], 2
    if size == 126:
        size, start = int.from_bytes(received[2:4], "big"), 4
    if len(received) < start + size:
        return None
    return received[0] & 15, received[start : start + size], received[start + size :]
