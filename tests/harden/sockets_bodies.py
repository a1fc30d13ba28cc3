"""Bodies whose length two servers in a row could read differently, and bodies that are none or have no end."""

from harden.sockets_case import ANSWERED, HIDDEN, REFUSED, WAITS, WHATEVER, Case, post


def bodies(line: bytes, body: bytes) -> list[Case]:
    """All of them for a style's own request: its request line without the version, and a body that is right."""
    return [*two_lengths(line), *chunks(line, body), *lengths(line, body), *endless(line)]


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


def endless(line: bytes) -> list[Case]:
    """More than any limit; whoever reads to the end has read too much."""
    coded, chunk = b"Transfer-Encoding: chunked\r\n", b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    return [
        Case(
            "application: a body without an end is refused or cut at the limit",
            post(line, coded, chunk * 100),
            ("413", "405", "cut"),
        ),
        Case(
            "application: a body of single bytes without an end is refused or cut at the limit",
            post(line, coded, b"1\r\na\r\n" * 1_100_000),
            ("413", "405", "cut"),
        ),
    ]
