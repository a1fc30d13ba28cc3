"""What has broken web applications before, as requests: a fixed corpus for each style."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harden.generated_client import Headers, Request

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
PREDICT = {"text": "one two three", "max_length": 2}
GENERATE = {"prompt": "one two", "max_new_tokens": 2, "temperature": 0.5, "top_p": 0.9, "seed": 1}
COMPLETE = {"model": MODEL, "prompt": "one two", "max_tokens": 2, "n": 1, "stream": False}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "one"}], "max_tokens": 2}


@dataclass(frozen=True)
class Surface:
    """Where a style can be reached.

    Attributes:
        gets: targets that answer GET.
        posts: a body that is good, by the target that takes it.
        open: paths that answer a stranger.
    """

    gets: tuple[bytes, ...]
    posts: Mapping[bytes, dict[str, Any]]
    open: frozenset[str] = frozenset({"/health", "/ready"})


DOCUMENTED = frozenset(
    {"/health", "/ready", "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"}
)
SURFACES = {
    "api": Surface((b"/items/1", b"/ready"), {b"/predict": PREDICT}, DOCUMENTED),
    "inference": Surface(
        (b"/v1/models", b"/ready"),
        {b"/generate": GENERATE, b"/v1/completions": COMPLETE, b"/v1/chat/completions": CHAT},
        DOCUMENTED,
    ),
    "simple": Surface((b"/?name=Ann", b"/docs"), {b"/": {"name": "Ann"}}, DOCUMENTED),
    "flask": Surface((b"/", b"/ready"), {b"/predict": PREDICT}),
    "django": Surface((b"/", b"/ready"), {b"/predict": PREDICT}),
}

METHODS = (
    *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND"),
    *(b"get", b"QUERY", b"M-SEARCH", b"PURGE", b"X" * 300, b"G\x00T", b"P\xc3\x96ST"),
)
# JSON, or almost, in the place of a value.
VALUES = (
    *(b"null", b"true", b"false", b"0", b"-0", b"-1", b"1000", b"1.5", b"1e5", b"1e-400", b"1e400"),
    *(b"-1e400", b"9" * 30, b"9" * 5_000, b"NaN", b"Infinity", b"-Infinity", b"nan", b"0x10"),
    *(b"01", b"+1", b".5", b"1_000", b'""', b'" "', b'"7"', b'"true"', b'"\\u0000"', b'"\\ud800"'),
    *(b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\x00"', b'"\x1f"', b'"\xff"', b'"\xc0\x80"'),
    *(b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x80\xae"', b'"\\x41"', b'"\x7f"', b"''"),
    *(b'"a"' * 2, b'"' + b"a" * 20_000 + b'"', b'"' + "é".encode() * 9_000 + b'"', b"[]", b"{}"),
    *(b"[null]", b'["a", 1]', b'{"a": {"b": []}}', b'{"__class__": "os"}', b'{"$ref": "#"}'),
    *(b"[" * 500 + b"]" * 500, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000, b"[[[", b""),
)
BODIES = (
    *(
        b"",
        b" ",
        b"\n",
        b"\x00",
        b"null",
        b"0",
        b'"text"',
        b"[]",
        b"{}",
        b"[{}]",
        b"{",
        b"}",
        b"{]",
    ),
    *(
        b'{"a"',
        b'{"a":}',
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"// {}",
        b"{} {}",
        b"{}x",
        b"\xff\xfe",
    ),
    *(b"\xef\xbb\xbf{}", '{"text":"é"}'.encode("utf-16"), '{"text":"é"}'.encode("utf-32"), b"\x80"),
    *('{"text":"é"}'.encode("latin-1"), b"\x1f\x8b\x08\x00", b"<a/>", b"<!DOCTYPE a SYSTEM 'b'>"),
    *(b"text=a&max_length=1", b"a" * 100_000, b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000),
    *(b'{"":""}', b'{"text":"a","text":1}', b'{"text":1,"text":"a"}', b'{"\\u0074ext":"a"}'),
    *(
        b'{"__proto__":{"a":1}}',
        b'{"text":"a","max_length":1,"max_length":0}',
        b" " * 50_000 + b"{}",
    ),
    *(b"a" * 1_000_000, b"a" * 1_000_001, b'{"a":' + b"1" * 999_990 + b"}"),
)
JSON = b"application/json"
CONTENT_TYPES = (
    *(
        b"",
        b" ",
        JSON,
        b"application/JSON",
        b"application/json;",
        b"application/json; charset=utf-8",
    ),
    *(
        b"application/json; charset=utf-16",
        b"application/json; charset=latin-1",
        b"json",
        b"/",
        b";",
    ),
    *(
        b"application/json; charset=nonsense",
        b"application/json; charset=",
        b"application/json, a/b",
    ),
    *(
        b"application/json; charset=\xff",
        b'application/json; charset="utf-8',
        b"application/json;=;=",
    ),
    *(b"application/json; charset=rot13", b"application/json; charset=idna", b"application/x+json"),
    *(b"application/problem+json", b"application/jsonl", b"text/json", b"text/plain", b"text/html"),
    *(b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded; charset=nonsense"),
    *(
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=a",
    ),
    *(b"multipart/form-data; boundary=" + b"a" * 300, b"multipart/form-data; boundary=\xff"),
    *(
        b"multipart/mixed; boundary=a",
        b"application/octet-stream",
        b"application/xml",
        b"a" * 8_000,
    ),
    *(b"\xff\xfe/\xff", "тип/вид".encode(), b"application/json\x01", b"a/b; c*=utf-8''%FF", b"*/*"),
    *(b"a/b; c*0=d; c*1*=x''%80", b'multipart/form-data; boundary="a\\"', b"%61pplication/json"),
)
FORMS = (
    *(
        b"a=b",
        b"a=%",
        b"a=%FF",
        b"a=%00",
        b"&&&==",
        b"a" * 2_000 + b"=b",
        b"&".join([b"a=b"] * 3_000),
    ),
    *(
        b"--a\r\n\r\n\r\n--a--",
        b"--a--",
        b"--a\r\nContent-Disposition: form-data; name=f\r\n\r\nv\r\n--a--",
    ),
    b'--a\r\nContent-Disposition: form-data; name="f"; filename="../x\x00"\r\n\r\n\xff\r\n--a--\r\n',
    b"--a\r\nContent-Disposition: form-data\r\nContent-Type: \xff; charset=no\r\n\r\nv\r\n--a--",
    b"--a\r\n" * 3_000,
)
PATHS = (
    *(
        b"/",
        b"//",
        b"///health",
        b"/.",
        b"/..",
        b"/../",
        b"/./health",
        b"/../health",
        b"/health/..",
    ),
    *(
        b"/health/",
        b"/health/../predict",
        b"/health%2f..%2fpredict",
        b"/health;a",
        b"/HEALTH",
        b"/health%00",
    ),
    *(
        b"/health%20",
        b"/%68ealth",
        b"/health%0a",
        b"/ready//",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"/..%2f..%2f",
    ),
    *(
        b"/..\\..\\",
        b"/%5c..",
        b"/%",
        b"/%f",
        b"/%ff",
        b"/%c0%af",
        b"/%00",
        b"/\xff",
        "/é".encode(),
        b"/%ed%a0%80",
    ),
    *(
        "/\u202e".encode(),
        b"/%E2%80%AE",
        b"/%0d%0aX:%20y",
        b"/%25%32%65",
        b"/a" * 2_000,
        b"/" + b"a" * 20_000,
    ),
    *(
        b"/static/../web.py",
        b"/.env",
        b"/.git/config",
        b"/web.py",
        b"/admin",
        b"/admin/",
        b"/favicon.ico",
    ),
    *(
        b"/docs",
        b"/docs/",
        b"/redoc",
        b"/openapi.json",
        b"/metrics",
        b"/ws",
        b"/items/",
        b"/items/1/",
    ),
    *(
        b"/items/-1",
        b"/items/" + b"9" * 5_000,
        b"/items/1.0",
        b"/items/%31",
        b"/items/NaN",
        b"/items/1%00",
    ),
    *(
        "/items/١".encode(),
        b"/items/1_0",
        b"/items/%E2%84%A2",
        b"/v1",
        b"/v1/",
        b"/v1/models/",
        b"/v1/models/%2e%2e",
    ),
    *(
        b"/v1/models/" + b"a" * 9_000,
        b"/v1/models/%ff",
        b"/v1/models/%00",
        b"/v1/models//",
        b"/v1/nothing",
    ),
    *(
        b"/predict/",
        b"/predict%20",
        b"/predict?",
        b"/predict;x=y",
        b"/generate/",
        b"*",
        b"http://127.0.0.1/",
    ),
    *(
        b"http://elsewhere.example/health",
        b"/<script>",
        b"/%3Cscript%3E",
        b"/$%7Bjndi%7D",
        b"/{{7*7}}",
        b"/a#b",
    ),
)
QUERIES = (
    *(
        b"",
        b"?",
        b"a",
        b"a=b",
        b"=",
        b"&",
        b"&&&",
        b"a=b&a=c",
        b"name=",
        b"name=%",
        b"name=%FF",
        b"name=%00",
    ),
    *(
        b"name=\xff",
        b"name=" + b"a" * 101,
        b"name=" + b"a" * 20_000,
        b"name=a&name=b",
        b"name[]=a",
        b"name.x=1",
    ),
    *(
        b"%6eame=a",
        b"name=%ED%A0%80",
        b"name=%uD800",
        b"name=a;name=b",
        b"name=a+b%2Bc",
        b"name=\xe2\x80\xae",
    ),
    *(
        b"&".join([b"a=b"] * 2_000),
        b"a" * 5_000,
        b"__debugger__=yes&cmd=resource",
        b"format=api",
        b"_method=DELETE",
    ),
    *(
        b"name=%0d%0aSet-Cookie:%20a=b",
        b"name=%3Cscript%3E",
        b"name={{7*7}}",
        b"wsdl",
        b"callback=a",
    ),
)
HEADERS: tuple[Headers, ...] = (
    *(
        ((b"Content-Type", JSON), (b"Content-Type", other))
        for other in (JSON, b"text/plain", b"\xff")
    ),
    *(
        ((b"Host", host),)
        for host in (b"", b"\xff", b"a" * 300, b"[::1", b"a:b", b"a:99999", b"a b", b"%00")
    ),
    *(
        ((b"Host", host),)
        for host in (b"elsewhere.example", b"127.0.0.1:1", b"localhost", b"a@127.0.0.1", b"..")
    ),
    ((b"Host", b"127.0.0.1"), (b"Host", b"elsewhere.example")),
    *(
        ((b"X-Request-ID", own),)
        for own in (b"", b"a b", b"\xff", b"a" * 65, b"a" * 9_000, b'"', b"a\tb", b"<b>")
    ),
    *(
        ((b"Cookie", own),)
        for own in (b"", b"=", b";;;", b"a=\xff", b"a" * 9_000, b'a="', b"sessionid=1; csrftoken=")
    ),
    *(
        ((b"Accept", own),)
        for own in (b"", b"text/html", b"*/*;q=2", b"\xff", b"a" * 5_000, b"text/html;q=nan")
    ),
    *(
        ((b"Accept-Language", own),)
        for own in (b"x" * 3_000, b"\xff", b"de;q=a", b"-", b"en-" * 500)
    ),
    *(((b"Accept-Encoding", own),) for own in (b"gzip;q=nan", b"\xff", b"*;q=0", b"identity;q=0")),
    *(((b"Content-Encoding", own),) for own in (b"gzip", b"br", b"\xff", b"identity")),
    *(((b"Origin", own),) for own in (b"null", b"\xff", b"https://elsewhere.example", b"http://[")),
    ((b"Origin", b"https://a.example"), (b"Access-Control-Request-Method", b"\xff")),
    ((b"Origin", b"https://a.example"), (b"Access-Control-Request-Method", b"POST")),
    *(
        ((b"Range", own),)
        for own in (b"bytes=0-0", b"bytes=9-1", b"bytes=" + b"0-," * 999, b"\xff")
    ),
    *(
        ((b"If-Modified-Since", own),)
        for own in (b"never", b"\xff", b"Thu, 01 Jan 99999 00:00:00 GMT")
    ),
    *(((b"If-None-Match", own),) for own in (b"*", b'W/"', b"\xff")),
    *(((b"X-Forwarded-For", own),) for own in (b"\xff", b"1.1.1.1, " * 500, b"[::1", b"a")),
    *(((b"X-Forwarded-Proto", own),) for own in (b"https", b"\xff")),
    *(((b"X-HTTP-Method-Override", own),) for own in (b"DELETE", b"\xff")),
    *(
        ((b"Forwarded", own),)
        for own in (b"for=\xff", b'for="[', b"host=elsewhere.example;proto=https")
    ),
    *(((b"Expect", own),) for own in (b"100-continue", b"200-ok", b"\xff")),
    *(((b"Upgrade", own), (b"Connection", b"close, upgrade")) for own in (b"h2c", b"\xff")),
    *(
        ((b"Content-Length", own),)
        for own in (b"", b"-1", b"+1", b"1e3", b"0x1", b"9" * 30, b"\xb2", b"1, 1")
    ),
    ((b"Content-Length", b"2"), (b"Transfer-Encoding", b"chunked")),
    *(
        ((b"Transfer-Encoding", own),)
        for own in (b"identity", b"gzip", b"\xff", b"chunked, chunked")
    ),
    *(
        ((own, b"a"),)
        for own in (b"X_A", b"Content_Type", b"Proxy", b"X-" + b"a" * 3_000, b"Script-Name")
    ),
    tuple((b"X-%d" % number, b"a") for number in range(90)),
    ((b"X-Empty", b""), (b"X-Tab", b"\t a \t"), (b"X-High", bytes(range(128, 256)))),
)
STRANGERS = (
    *(
        b"",
        b"Bearer",
        b"Bearer ",
        b"bearer x",
        b"Basic YTpi",
        b"Basic \xff",
        b"Bearer \xff\xfe",
        b"Bearer " + b"a" * 64,
    ),
    *(
        b"Bearer a b",
        b"Bearer\ta",
        b"Bearer " + b"a" * 9_000,
        "Bearer ключ".encode(),
        b"Token a",
        b"Bearer null",
    ),
    *(
        b"Bearer,",
        b"Digest username=a",
        b"Bearer %00",
        b"Bearer '--",
        b"Bearer \xed\xa0\x80",
        b"B\xe9arer a",
    ),
)


def corpus(surface: Surface) -> Iterator[Request]:
    """Each kind of trouble once, against each place where it can make any."""
    typed = ((b"Content-Type", JSON),)
    targets = (*surface.gets, *surface.posts, b"/health", b"/nothing")
    for target, good in surface.posts.items():
        for field, value in itertools.product(good, VALUES):
            yield Request(b"POST", target, typed, with_value(good, field, value))
        for body in BODIES:
            yield Request(b"POST", target, typed, body)
            yield Request(b"POST", target, typed, body, chunk=max(1, len(body) // 3))
        sound = json.dumps(good).encode()
        for content_type, body in itertools.product(CONTENT_TYPES, (sound, b"", FORMS[0], b"\xff")):
            yield Request(b"POST", target, ((b"Content-Type", content_type),), body)
        for content_type, form in itertools.product(
            (b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=a"), FORMS
        ):
            yield Request(b"POST", target, ((b"Content-Type", content_type),), form)
        for headers in HEADERS:
            yield Request(
                b"POST", target, headers if has_type(headers) else (*typed, *headers), sound
            )
        for own in STRANGERS:
            yield Request(
                b"POST", target, (*typed, (b"Authorization", own)), sound, has_token=False
            )
    for method, target in itertools.product(METHODS, targets):
        yield Request(method, target)
        yield Request(method, target, body=b"{}", has_token=False)
    for path, method in itertools.product(PATHS, (b"GET", b"POST")):
        yield Request(method, path)
        yield Request(method, path, has_token=False)
    for target, query in itertools.product(surface.gets, QUERIES):
        yield Request(b"GET", target.partition(b"?")[0] + b"?" + query)
    for target, headers in itertools.product(surface.gets, HEADERS):
        yield Request(b"GET", target, headers)
    for target, own in itertools.product(surface.gets, STRANGERS):
        yield Request(b"GET", target, ((b"Authorization", own),), has_token=False)
    for target in targets:
        yield Request(b"GET", target, version=b"HTTP/1.0")
        yield Request(b"GET", target, body=b"[" * 9_000, chunk=1_000)


def with_value(good: Mapping[str, Any], field: str, value: bytes) -> bytes:
    """A good body as JSON, with that in place of one value."""
    fields = {name: json.dumps(each).encode() for name, each in good.items()} | {field: value}
    return b"{%b}" % b", ".join(b'"%b": %b' % (name.encode(), own) for name, own in fields.items())


def has_type(headers: Headers) -> bool:
    return any(name == b"Content-Type" for name, _ in headers)
