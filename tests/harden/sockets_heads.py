"""Heads that are none, that nobody expects, or that are far too large."""

from harden.sockets_case import HIDDEN, REFUSED, WAITS, WHATEVER, Case


def heads() -> list[Case]:
    return [*shapes_of_heads(), *sizes()]


def shapes_of_heads() -> list[Case]:
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


def sizes() -> list[Case]:
    """What is far too large. Modal's edge has limits of its own for heads, which are not documented."""
    start, field = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X: " + b"a" * 1000 + b"\r\n"
    long = b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    return [
        Case("uvicorn: a field of 100 KB harms nobody", start + b"X: " + b"a" * 100_000 + b"\r\n\r\n", WHATEVER),
        Case("uvicorn: a field of 2 MB harms nobody", start + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", WHATEVER),
        Case("uvicorn: a field's name of 2 MB harms nobody", start + b"a" * 2_000_000 + b": a\r\n\r\n", WHATEVER),
        Case("uvicorn: 2,000 fields of 1 KB harm nobody", start + field * 2_000 + b"\r\n", WHATEVER),
        Case("uvicorn: 20,000 short fields harm nobody", start + b"X: a\r\n" * 20_000 + b"\r\n", WHATEVER),
        Case("application: a path of 2 MB harms nobody", long, WHATEVER),
    ]  # fmt: skip
