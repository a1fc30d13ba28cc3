"""Methods, paths, query strings and headers that have broken web applications before."""

from harden.generated_bodies import JSON
from harden.generated_client import Headers

METHODS = (
    *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND"),
    *(b"get", b"QUERY", b"M-SEARCH", b"PURGE", b"X" * 300, b"G\x00T", b"P\xc3\x96ST"),
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
