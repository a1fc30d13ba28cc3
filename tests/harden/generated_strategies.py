"""Requests that nobody thought of: https://hypothesis.readthedocs.io"""

import json
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from harden.generated_bodies import BODIES, CONTENT_TYPES, JSON, VALUES
from harden.generated_client import Request
from harden.generated_heads import HEADERS, METHODS, PATHS
from harden.generated_requests import Surface, with_value

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def generated(surface: Surface, number: int, start: int) -> list[Request]:
    """That many different requests, the same ones for the same start."""
    found: dict[Request, None] = {}

    @seed(start)
    @settings(
        max_examples=number + number // 4,  # some come twice
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(surface))
    def collect(request: Request) -> None:
        found.setdefault(request)

    collect()
    return list(found)[:number]


def requests(surface: Surface) -> st.SearchStrategy[Request]:
    tokens = st.sampled_from([True, True, True, False])
    chunks = st.sampled_from([0, 0, 0, 1, 7])
    free = st.builds(
        Request,
        method=st.sampled_from(METHODS[:9]),
        target=targets(surface),
        headers=st.lists(headers(), max_size=4).map(tuple),
        body=st.sampled_from(BODIES) | st.binary(max_size=300),
        chunk=st.sampled_from([0, 0, 0, 100, 5_000]),
        has_token=tokens,
    )
    posts = [
        st.builds(
            Request,
            method=st.just(b"POST"),
            target=st.just(target),
            headers=st.just(((b"Content-Type", JSON),)),
            body=bodies(with_values(good)),
            chunk=chunks,
            has_token=tokens,
        )
        for target, good in surface.posts.items()
    ]
    return st.one_of(free, *posts, *posts)


def with_values(good: dict[str, object]) -> st.SearchStrategy[bytes]:
    """A good body in which one value is any JSON, or almost JSON; and any JSON alone."""
    value = JSON_VALUES.map(dump) | st.sampled_from(VALUES)
    one = st.builds(with_value, st.just(good), st.sampled_from(sorted(good)), value)
    extra = st.dictionaries(st.text(), JSON_VALUES, max_size=3).map(lambda more: dump(good | more))
    return one | one | extra | JSON_VALUES.map(dump)


def dump(value: object) -> bytes:
    # Half a character, which Python's strings may hold, goes as an escape.
    return json.dumps(value).encode()


def bodies(sound: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bodies as they are, cut off, with bytes put in, in another encoding."""
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], sound, st.integers(0, 400))
    spliced = st.builds(
        lambda body, at, new: body[: at % (len(body) + 1)] + new + body[at % (len(body) + 1) :],
        sound,
        st.integers(0, 400),
        st.binary(min_size=1, max_size=4),
    )
    encoded = st.builds(recode, sound, st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "utf-7"]))
    return sound | sound | cut | spliced | encoded


def recode(body: bytes, encoding: str) -> bytes:
    return body.decode("latin-1").encode(encoding)


def targets(surface: Surface) -> st.SearchStrategy[bytes]:
    known = st.sampled_from([*surface.gets, *surface.posts, b"/health", *PATHS])
    encoded = st.text(max_size=30).map(lambda text: b"/" + quote(text, errors="replace").encode())
    raw = st.binary(max_size=20).map(lambda path: b"/" + path.translate(None, b" \r\n\t"))
    below = st.builds(lambda path, rest: path.partition(b"?")[0] + rest, known, encoded)
    query = st.builds(lambda path, rest: path + b"?" + rest[1:], known, encoded | raw)
    return known | encoded | below | query | raw


def headers() -> st.SearchStrategy[tuple[bytes, bytes]]:
    names = [name for each in HEADERS for name, _ in each]
    # The length of a body that comes is not for this: an untrue one is another request's beginning.
    framing = {b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade"}
    value = st.binary(max_size=40).map(lambda content: content.translate(None, b"\r\n\0"))
    return st.tuples(
        st.sampled_from(sorted(set(names) - framing)), value | st.sampled_from(CONTENT_TYPES)
    )
