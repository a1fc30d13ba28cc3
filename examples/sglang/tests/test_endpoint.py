"""examples/endpoint.py against a server that answers what Modal answers while it has no answer yet."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples import endpoint
from examples.endpoint import Endpoint, EndpointError

HEADERS = {"Authorization": "Bearer secret", "Modal-Key": "wk-1"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    rest: bytes = b""  # of the body, once the client has taken what comes before


HANG_UP = Answer(0)
DONE = Answer(200, body=b'{"done": true}')
FULL = Answer(503, body=b'{"detail": "no container yet"}')


class Server(ThreadingHTTPServer):
    """Gives these answers in their order, and then no good one any more; `seen` are the requests."""

    def __init__(self, *answers: Answer, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answers = list(answers)
        self.seen: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.taken = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0) if self.server.answers else Answer(500)
        if answer is HANG_UP:
            return
        self.send_response(answer.status)
        length = len(answer.body) + len(answer.rest)
        for name, value in {**answer.headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        if answer.rest and self.server.taken.wait(3):
            self.wfile.write(answer.rest)

    do_GET = do_POST = answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


class Servers:
    def __init__(self) -> None:
        self.running = contextlib.ExitStack()

    def start(self, *answers: Answer, port: int = 0) -> Server:
        server = self.running.enter_context(Server(*answers, port=port))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.running.callback(server.shutdown)
        return server


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    with servers.running:
        yield servers


class Clock:
    """In the place of `time`: a pause is over at once. Nobody may look or sleep for ever."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now

    def sleep(self, seconds: float) -> None:
        assert len(self.pauses) < 100, "it goes on for ever"
        self.pauses.append(seconds)
        self.now += seconds
        self.meanwhile()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(endpoint, "time", clock)
    monkeypatch.setattr(endpoint, "TIMEOUT", 5)
    return clock


def call(url: str, method: str = "POST", patience: float = 10) -> object:
    with Endpoint(url, HEADERS, patience=patience) as client:
        return client.call(method, "/work", {"n": 1} if method == "POST" else None)


def redirect(url: str) -> Answer:
    return Answer(303, {"Location": url})


def test_it_says_who_calls(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    server = servers.start(DONE)
    monkeypatch.setenv("URL", f"{server.url}/")
    monkeypatch.setenv("MODAL_KEY", "wk-1")
    monkeypatch.setenv("MODAL_SECRET", "ws-1")
    expected = {"Modal-Key": "wk-1", "Modal-Secret": "ws-1"}
    with Endpoint.from_environment() as client:
        client.call("GET", "/work", query={"of": "a b&c"})
    ((_, path, headers, _),) = server.seen
    assert path in {"/work?of=a+b%26c", "/work?of=a%20b%26c"}
    assert headers.items() >= expected.items()


def test_it_waits_for_a_container(servers: Servers) -> None:
    server = servers.start(FULL, FULL, Answer(429), DONE)
    assert call(server.url) == {"done": True}
    assert [request[::3] for request in server.seen] == [("POST", b'{"n":1}')] * 4


def test_it_waits_as_long_as_it_is_asked_to(servers: Servers, clock: Clock) -> None:
    assert call(servers.start(Answer(503, {"Retry-After": "5"}), DONE).url) == {"done": True}
    (pause,) = clock.pauses
    assert pause >= 5


def test_it_does_not_wait_longer_than_it_may(servers: Servers, clock: Clock) -> None:
    server = servers.start(Answer(503, {"Retry-After": "60"}), DONE)
    with pytest.raises(EndpointError, match="gave up"):
        call(server.url)
    assert not clock.pauses


@pytest.mark.parametrize("after", ["soon", "-1", "nan", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_nonsense_is_no_reason_to_wait(servers: Servers, clock: Clock, after: str) -> None:
    assert call(servers.start(Answer(503, {"Retry-After": after}), DONE).url) == {"done": True}
    (pause,) = clock.pauses
    assert 0 < pause <= 0.5


def test_patience_ends_and_says_why(servers: Servers, clock: Clock) -> None:
    server = servers.start(*[FULL] * 50, DONE)
    with pytest.raises(EndpointError, match=r"^POST /work: gave up .*503 no container") as raised:
        call(server.url, patience=120)
    assert raised.value.status == 503
    assert sum(clock.pauses) <= 120
    assert 9 <= len(clock.pauses) <= 16  # longer and longer, up to 20 seconds


def test_it_waits_for_a_port_that_nobody_listens_on_yet(servers: Servers, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def start() -> None:
        if len(clock.pauses) == 2:
            servers.start(DONE, port=port)

    clock.meanwhile = start
    assert call(f"http://127.0.0.1:{port}") == {"done": True}


def test_without_a_server_it_gives_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        url = "http://{}:{}".format(*silent.getsockname())
        with pytest.raises(EndpointError, match="gave up after 10 seconds, no answer") as raised:
            call(url)
    assert raised.value.status is None


def test_a_question_is_asked_again_where_the_line_breaks(servers: Servers) -> None:
    server = servers.start(HANG_UP, DONE)
    assert call(server.url, "GET") == {"done": True}


def test_an_order_is_not_given_twice_where_the_line_breaks(servers: Servers) -> None:
    server = servers.start(HANG_UP, DONE)
    with pytest.raises(EndpointError, match="no whole answer"):
        call(server.url)
    assert len(server.seen) == 1


def test_it_follows_to_the_result(servers: Servers) -> None:
    result = "/work?__modal_function_call_id=fc-1"
    server = servers.start(redirect(result), FULL, redirect(result), redirect(result), DONE)
    assert call(server.url) == {"done": True}
    first, *others = server.seen
    assert first[:2] == ("POST", "/work")
    assert [(method, path, body) for method, path, _, body in others] == [("GET", result, b"")] * 4
    for _, _, headers, _ in server.seen:
        assert headers.items() >= HEADERS.items()


def test_no_other_host_is_told_who_calls(servers: Servers) -> None:
    other = servers.start(DONE)
    server = servers.start(redirect(f"{other.url}/stolen"))
    assert call(server.url) == {"done": True}
    ((method, path, headers, _),) = other.seen
    assert (method, path) == ("GET", "/stolen")
    assert not HEADERS.keys() & headers.keys()


def test_it_follows_as_often_as_a_browser(servers: Servers) -> None:
    server = servers.start(*[redirect("/work")] * 20, DONE)
    assert call(server.url) == {"done": True}
    server = servers.start(*[redirect("/work")] * 21, DONE)
    with pytest.raises(EndpointError, match="no result after 20 redirects"):
        call(server.url)


@pytest.mark.parametrize("location", ["http://host:port/work", "ftp://127.0.0.1/work"])
def test_a_redirect_to_nowhere_is_said(servers: Servers, location: str) -> None:
    with pytest.raises(EndpointError, match="no whole answer"):
        call(servers.start(redirect(location)).url)


def test_an_answer_is_there_as_it_comes(servers: Servers) -> None:
    server = servers.start(Answer(200, body=b"one", rest=b"two"))
    pieces = []
    with Endpoint(server.url) as client, client.open("GET", "/") as answer:
        for piece in answer.iter_bytes():
            pieces.append(piece)
            server.taken.set()
    assert pieces == [b"one", b"two"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"detail": "Missing or unknown token"}', "401 Missing or unknown token"),
        (b'{"detail": [{"loc": ["text"]}]}', '401 [{"loc": ["text"]}]'),
        (b"modal-http: missing credentials", "401 modal-http: missing credentials"),
        (b"[]", "401 []"),
        (b"", "401 Unauthorized"),
    ],
)
def test_an_error_is_said_at_once(servers: Servers, body: bytes, reason: str) -> None:
    server = servers.start(Answer(401, body=body))
    with pytest.raises(EndpointError) as raised:
        call(server.url)
    assert str(raised.value) == f"POST /work: {reason}"
    assert raised.value.status == 401
    assert len(server.seen) == 1


def test_what_is_not_json_is_said(servers: Servers) -> None:
    with pytest.raises(EndpointError, match="not JSON"):
        call(servers.start(Answer(200, body=b"<html>")).url)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://", "http://h:port"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(EndpointError, match=r"not (a|the) URL"):
        Endpoint(url)
