"""Bytes that are no proper request, or that two servers in a row could read as different ones.

Modal's edge parses what comes from the internet and hands an application whole requests, never bytes. So what is answered
here is uvicorn's doing, on a developer's machine and wherever a project is served without Modal; the application is
answerable for the cases that begin with its name.
"""

from dataclasses import dataclass

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


def cases(line: bytes, body: bytes) -> list[Case]:
    """All of them for a style's own request: its request line without the version, and a body that is right."""
    return [*two_lengths(line), *chunks(line, body), *lengths(line, body), *heads(), *sizes(line)]


def post(line: bytes, fields: bytes, rest: bytes) -> bytes:
    return line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + JSON + fields + b"\r\n" + rest


def two_lengths(line: bytes) -> list[Case]:
    """A second request in the body of the first, for whoever believes the other length."""
    inside = b"0\r\n\r\n" + HIDDEN
    count = b"%d" % len(inside)
    shapes = {
        "Content-Length and Transfer-Encoding": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding and Content-Length": b"Transfer-Encoding: chunked\r\nContent-Length: "
        + count
        + b"\r\n",
        "two lengths that differ": b"Content-Length: 5\r\nContent-Length: " + count + b"\r\n",
        "two lengths that differ, the other order": b"Content-Length: "
        + count
        + b"\r\nContent-Length: 5\r\n",
        "a list of lengths": b"Content-Length: 5, " + count + b"\r\n",
        "a folded Transfer-Encoding beside a length": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding:\r\n chunked\r\n",
        "a tab in Transfer-Encoding beside a length": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding:\tchunked\r\n",
        "a space before the colon": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding : chunked\r\n",
        "xchunked beside a length": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: xchunked\r\n",
        "chunked in capitals beside a length": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: CHUNKED\r\n",
        "chunked, identity beside a length": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: chunked, identity\r\n",
        "two Transfer-Encodings beside a length": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "a line feed that hides Transfer-Encoding": b"Content-Length: "
        + count
        + b"\r\nX: a\nTransfer-Encoding: chunked\r\n",
        "a return that hides Transfer-Encoding": b"Content-Length: "
        + count
        + b"\r\nX: a\rTransfer-Encoding: chunked\r\n",
        "a null byte in Transfer-Encoding": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: chunked\x00\r\n",
        "a form feed before chunked": b"Content-Length: "
        + count
        + b"\r\nTransfer-Encoding: \x0cchunked\r\n",
    }
    return [
        Case(f"uvicorn: no second request through {name}", post(line, fields, inside), WAITS)
        for name, fields in shapes.items()
    ]


def chunks(line: bytes, body: bytes) -> list[Case]:
    """Bodies in chunks that are none."""
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    coded = b"Transfer-Encoding: chunked\r\n"
    shapes = {
        "a size that is no number": b"xyz\r\nabc\r\n0\r\n\r\n",
        "a negative size": b"-1\r\nabc\r\n0\r\n\r\n",
        "a size as 0x5": b"0x5\r\nabcde\r\n0\r\n\r\n",
        "a size beyond 64 bits": b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
        "a size of a thousand digits": b"1" * 1000 + b"\r\nabcde\r\n0\r\n\r\n",
        "more than its size": b"3\r\nabcde\r\n0\r\n\r\n" + HIDDEN,
        "an empty size": b"\r\nabcde\r\n0\r\n\r\n",
        "line feeds alone": b"5\nabcde\n0\n\n" + HIDDEN,
        "a size after a space": b" 5\r\nabcde\r\n0\r\n\r\n",
    }
    return [
        *(
            Case(f"uvicorn: refuses a chunk with {n}", post(line, coded, s))
            for n, s in shapes.items()
        ),
        Case("uvicorn: passes a body in chunks on", post(line, coded, whole), ANSWERED),
        Case(
            "uvicorn: refuses a coding that it does not know",
            post(line, b"Transfer-Encoding: xchunked\r\n", whole),
            WAITS,
        ),
        Case(
            "uvicorn: refuses a folded coding, or reads it as chunked",
            post(line, b"Transfer-Encoding:\r\n chunked\r\n", whole),
            WHATEVER,
        ),
        Case(
            "uvicorn: a body in chunks that breaks off is forgotten",
            post(line, coded, b"5\r\nab"),
            WAITS,
            finish=True,
        ),
    ]


def lengths(line: bytes, body: bytes) -> list[Case]:
    """Lengths that lie, or are none."""
    bad = {
        "negative": b"-5", "signed": b"+5", "hexadecimal": b"0x5", "empty": b"", "in words": b"five",
        "a fraction": b"5.0", "two numbers": b"5 5", "beyond 64 bits": b"18446744073709551621",
        "a thousand digits": b"9" * 1000, "in other digits": "٥".encode(),
    }  # fmt: skip
    refused = [
        Case(
            f"uvicorn: no second request after a length that is {name}",
            post(line, b"Content-Length: " + length + b"\r\n", b"abcde" + HIDDEN),
            WAITS,
        )
        for name, length in bad.items()
    ]
    short = b"Content-Length: %d\r\n" % (len(body) - 2)
    right = b"Content-Length: %d\r\n" % len(body)
    return [
        *refused,
        Case(
            "uvicorn: what is longer than its length is refused as a request",
            post(line, short, body),
            REFUSED,
            answers=2,
        ),
        Case(
            "application: a body shorter than its length, then closed, is forgotten",
            post(line, b"Content-Length: %d\r\n" % (len(body) + 9), body),
            WAITS,
            finish=True,
        ),
        Case(
            "uvicorn: the same length twice is refused or read once",
            post(line, right * 2, body),
            ANSWERED,
        ),
        Case(
            "application: a length beyond its limit is refused before the body",
            post(line, b"Content-Length: 99999999\r\n", b""),
            ("413",),
        ),
        Case(
            "application: a length beyond its limit is refused where 100 Continue is awaited",
            post(line, b"Content-Length: 99999999\r\nExpect: 100-continue\r\n", b""),
            ("413",),
        ),
        Case(
            "application: a request in the first one's body is its body",
            post(line, b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
            ("4",),
        ),
    ]


def heads() -> list[Case]:
    """Heads that are none."""
    host = b"Host: 127.0.0.1\r\n"
    shapes: dict[str, tuple[bytes, tuple[str, ...]]] = {
        "a greeting of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60), REFUSED),
        "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED),
        "HTTP/9.9": (b"GET /health HTTP/9.9\r\n" + host + b"\r\n", REFUSED),
        "HTTPS/1.1": (b"GET /health HTTPS/1.1\r\n" + host + b"\r\n", REFUSED),
        "null bytes": (bytes(200), REFUSED),
        "noise": (bytes(range(256)) * 4, REFUSED),
        "a method in small letters": (b"get /health HTTP/1.1\r\n" + host + b"\r\n", REFUSED),
        "a method that nobody knows": (b"BREW /health HTTP/1.1\r\n" + host + b"\r\n", REFUSED),
        "a target with a space": (b"GET /hea lth HTTP/1.1\r\n" + host + b"\r\n", REFUSED),
        "a target with a null byte": (b"GET /\x00 HTTP/1.1\r\n" + host + b"\r\n", REFUSED),
        "a field without a colon": (b"GET /health HTTP/1.1\r\n" + host + b"abc\r\n\r\n", REFUSED),
        "a field without a name": (b"GET /health HTTP/1.1\r\n" + host + b": a\r\n\r\n", REFUSED),
        "a field's name with a space": (
            b"GET /health HTTP/1.1\r\n" + host + b"a b: c\r\n\r\n",
            REFUSED,
        ),
        "a null byte in a field": (
            b"GET /health HTTP/1.1\r\n" + host + b"a: \x00\r\n\r\n",
            REFUSED,
        ),
        "a return in a field": (
            b"GET /health HTTP/1.1\r\n" + host + b"a: b\rc: d\r\n\r\n",
            REFUSED,
        ),
        "line feeds alone": (b"GET /health HTTP/1.1\nHost: 127.0.0.1\n\n" + HIDDEN, WAITS),
        "a first field that is folded": (b"GET /health HTTP/1.1\r\n " + host + b"\r\n", REFUSED),
        "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\n" + host + b"\r\n", WAITS),
    }
    may = {
        "no Host": b"GET /health HTTP/1.1\r\n\r\n",
        "two Hosts": b"GET /health HTTP/1.1\r\n" + host * 2 + b"\r\n",
        "an absolute target": b"GET http://127.0.0.1/health HTTP/1.1\r\n" + host + b"\r\n",
        "a target above the root": b"GET /../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n",
        "percent signs that encode nothing": b"GET /%zz%00%ff HTTP/1.1\r\n" + host + b"\r\n",
        "OPTIONS *": b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n",
        "an upgrade to h2c": b"GET /health HTTP/1.1\r\n" + host
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "an upgrade to nothing": b"GET /health HTTP/1.1\r\n" + host + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n",
        "empty lines before it": b"\r\n\r\nGET /health HTTP/1.1\r\n" + host + b"\r\n",
    }  # fmt: skip
    return [
        *(Case(f"uvicorn: refuses {name}", *shape) for name, shape in shapes.items()),
        *(Case(f"application: no error of ours for {name}", s, WHATEVER) for name, s in may.items()),
        Case("uvicorn: answers HTTP/0.9, or refuses it", b"GET /health\r\n\r\n", WHATEVER),
        Case("uvicorn: half a head, then closed, is forgotten", b"GET /health HT", WAITS, finish=True),
        Case("uvicorn: nothing, then closed, is forgotten", b"", WAITS, finish=True),
        Case(
            "uvicorn: a client that sends no more is answered or cut",
            b"GET /health HTTP/1.1\r\n" + host + b"\r\n",
            WHATEVER,
            finish=True,
        ),
        Case(
            "uvicorn: fifty requests at once get an answer each",
            (b"GET /health HTTP/1.1\r\n" + host + b"\r\n") * 49
            + b"GET /health HTTP/1.1\r\nConnection: close\r\n" + host + b"\r\n",
            ("2",),
            answers=50,
        ),
    ]  # fmt: skip


def sizes(line: bytes) -> list[Case]:
    """What is far too large, or never ends. Modal's edge has limits of its own for heads, which are not documented."""
    start, field = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X: " + b"a" * 1000 + b"\r\n"
    long = b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    return [
        Case("uvicorn: a field of 100 KB harms nobody", start + b"X: " + b"a" * 100_000 + b"\r\n\r\n", WHATEVER),
        Case("uvicorn: a field of 2 MB harms nobody", start + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", WHATEVER),
        Case("uvicorn: a field's name of 2 MB harms nobody", start + b"a" * 2_000_000 + b": a\r\n\r\n", WHATEVER),
        Case("uvicorn: 2,000 fields of 1 KB harm nobody", start + field * 2_000 + b"\r\n", WHATEVER),
        Case("uvicorn: 20,000 short fields harm nobody", start + b"X: a\r\n" * 20_000 + b"\r\n", WHATEVER),
        Case("application: a path of 2 MB harms nobody", long, WHATEVER),
        Case(
            "application: a body without an end is refused or cut at the limit",
            post(line, b"Transfer-Encoding: chunked\r\n", chunk * 100),
            ("413", "405", "cut"),
        ),
        Case(
            "application: a body of single bytes without an end is refused or cut at the limit",
            post(line, b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n" * 1_100_000),
            ("413", "405", "cut"),
        ),
    ]  # fmt: skip
