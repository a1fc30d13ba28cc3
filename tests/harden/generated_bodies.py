"""Bodies that have broken web applications before, and the names that are given to them."""

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
