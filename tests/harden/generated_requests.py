"""What has broken web applications before, as requests: a fixed corpus for each style."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harden.generated_bodies import BODIES, CONTENT_TYPES, FORMS, JSON, VALUES
from harden.generated_client import Headers, Request
from harden.generated_heads import HEADERS, METHODS, PATHS, QUERIES, STRANGERS

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
PREDICT = {"text": "one two three", "max_length": 2}
EMBED = {"texts": ["one", "two"], "dimensions": 3}
VECTORS = {"model": "Qwen/Qwen3-Embedding-0.6B", "input": "one", "encoding_format": "base64"}
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
        openai: whether errors under /v1 have OpenAI's shape.
    """

    gets: tuple[bytes, ...]
    posts: Mapping[bytes, dict[str, Any]]
    open: frozenset[str] = frozenset({"/health", "/ready"})
    openai: bool = False


DOCUMENTED = frozenset(
    {"/health", "/ready", "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"}
)
SURFACES = {
    "api": Surface((b"/items/1", b"/ready"), {b"/predict": PREDICT}, DOCUMENTED),
    "inference": Surface(
        (b"/v1/models", b"/ready"),
        {b"/generate": GENERATE, b"/v1/completions": COMPLETE, b"/v1/chat/completions": CHAT},
        DOCUMENTED | {"/playground"},
        openai=True,
    ),
    "embed": Surface(
        (b"/v1/models", b"/ready"),
        {b"/embed": EMBED, b"/v1/embeddings": VECTORS},
        DOCUMENTED,
        openai=True,
    ),
    "simple": Surface((b"/?name=Ann", b"/docs"), {b"/": {"name": "Ann"}}, DOCUMENTED),
    "flask": Surface((b"/", b"/ready"), {b"/predict": PREDICT}),
    "django": Surface((b"/", b"/ready"), {b"/predict": PREDICT}),
}


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
