"""Bytes that are no proper request, or that two servers in a row could read as different ones.

Modal's edge parses what comes from the internet and hands an application whole requests, never bytes. So what is answered
here is uvicorn's doing, on a developer's machine and wherever a project is served without Modal; the application is
answerable for the cases that begin with its name.
"""

from dataclasses import dataclass

# For whoever takes it for a second request.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
JSON = b"Content-Type: application/json\r\n"
# What a case may end in: a refusal, the connection cut without an answer, or left open for more to come.
REFUSED = ("4", "cut")
WAITS = (*REFUSED, "open")
ANSWERED = ("2", "4")
WHATEVER = (*ANSWERED, "cut")


@dataclass(frozen=True)
class Case:
    """Bytes for one connection.

    Attributes:
        name: the claim.
        ends: how it may end: the first digits of a status, "cut" or "open".
        answers: the most answers it may get.
        finish: whether the client then says that it sends no more.
    """

    name: str
    sent: bytes
    ends: tuple[str, ...] = REFUSED
    answers: int = 1
    finish: bool = False


def post(line: bytes, fields: bytes, rest: bytes) -> bytes:
    return line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + JSON + fields + b"\r\n" + rest
