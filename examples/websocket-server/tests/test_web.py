"""The application that is deployed, called as its clients call it: in process, and over the network."""

import asyncio
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.types import Message as Event
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from myapi import handlers
from myapi.connection import Close, Connection, Message
from myapi.logs import JsonFormatter
from myapi.settings import Settings
from myapi.web import create_app

TOKEN = "test-" + "0" * 32
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
PING, PONG = {"type": "ping"}, {"type": "pong"}
# What the tests call beside their own arguments: settings of the application.
MakeClient = Callable[..., TestClient]


async def probe(message: Message, connection: Connection) -> Message:
    return f"Text: {message}" if isinstance(message, str) else {"object": message}


async def is_ready() -> bool:
    return True


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of these tests in place of yours, which may do anything."""
    monkeypatch.setattr(handlers, "on_message", probe)
    monkeypatch.setattr(handlers, "is_ready", is_ready)


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Make a client of an application with these settings."""
    monkeypatch.setenv("API_TOKENS", f"tests:{TOKEN}")

    def make(**settings: object) -> TestClient:
        # Whatever they are when deployed; and where no answer comes, a test fails and does not wait.
        own = {
            "log_level": "INFO",
            "allowed_origins": "[]",
            "max_connections": 100,
            "session_seconds": 5,
            "max_message_bytes": 65_536,
            "messages_per_second": 20,
            "message_burst": 40,
            "ping_seconds": 30,
            "idle_seconds": 3,
            "send_seconds": 10,
        }
        for name, value in {**own, **settings}.items():
            monkeypatch.setenv(name.upper(), str(value))
        return TestClient(create_app(), headers=HEADERS)

    return make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()


@contextmanager
def served() -> Iterator[tuple[str, uvicorn.Server]]:
    """Serve the application as serve.py does; yield the URL of its socket."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(), log_config=None, log_level="warning", timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield url, server
        finally:
            server.should_exit = True
            thread.join()


def end_of(session: WebSocketTestSession) -> tuple[int, str]:
    """Read on until the server closes; return its code and reason."""
    try:
        while True:
            session.receive_text()
    except WebSocketDisconnect as end:
        return end.code, end.reason


def test_text_and_json_come_to_the_handler(client: TestClient) -> None:
    with client.websocket_connect("/ws") as session:
        for text in ("hello", "", "héllo 👋", "[1]", "12", "null", " hello {"):
            session.send_text(text)
            assert session.receive_text() == f"Text: {text}"
        for message in ({}, {"a": ["ö", 1.5, None]}, {"type": "ping", "id": 1}):
            session.send_json(message)
            assert session.receive_json() == {"object": message}


@pytest.mark.parametrize(
    "text", ["{", ' {"a"}', '{"a": 1} b', '{"a": NaN}', '{"a": "\\ud800"}', '{"a":' * 10_000]
)
def test_bad_json_is_answered_and_the_socket_stays_open(client: TestClient, text: str) -> None:
    with client.websocket_connect("/ws") as session:
        session.send_text(text)
        error = session.receive_json()
        assert error["type"] == "error"
        assert "Not a JSON object" in error["detail"]
        session.send_text("still there?")
        assert session.receive_text() == "Text: still there?"


def test_a_handler_may_send_more_than_the_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def count(message: Message, connection: Connection) -> None:
        for number in range(3):
            await connection.send({"number": number})
        raise Close(4000, "countéd" * 20)

    monkeypatch.setattr(handlers, "on_message", count)
    with client.websocket_connect("/ws") as session:
        session.send_text("go")
        assert [session.receive_json()["number"] for _ in range(3)] == [0, 1, 2]
        assert end_of(session) == (4000, "countéd" * 15 + "cou")  # what fits into a frame


def test_a_ping_is_answered_and_a_pong_is_not(client: TestClient) -> None:
    with client.websocket_connect("/ws") as session:
        session.send_json(PING)
        assert session.receive_json() == PONG
        session.send_json(PONG)
        session.send_text("next")
        assert session.receive_text() == "Text: next"


def test_who_stays_silent_is_pinged_and_then_closed(make_client: MakeClient) -> None:
    client = make_client(ping_seconds=0.05, idle_seconds=0.2)
    with client.websocket_connect("/ws") as session:
        assert session.receive_json() == PING
        assert end_of(session) == (1000, "idle")


def test_who_answers_pings_stays(make_client: MakeClient) -> None:
    client = make_client(ping_seconds=0.05, idle_seconds=0.3)
    with client.websocket_connect("/ws") as session:
        for _ in range(8):  # longer than a silent client may stay
            assert session.receive_json() == PING
            session.send_json(PONG)
        session.send_text("here")
        assert session.receive_text() == "Text: here"


def test_a_session_ends(make_client: MakeClient) -> None:
    client = make_client(session_seconds=0.1)
    with client.websocket_connect("/ws") as session:
        code, reason = end_of(session)
        assert code == 1012
        assert "connect again" in reason


def test_a_large_message_ends_the_socket(make_client: MakeClient) -> None:
    client = make_client(max_message_bytes=10)
    with client.websocket_connect("/ws") as session:
        session.send_text("é" * 5)
        assert session.receive_text() == "Text: ééééé"
        session.send_text("é" * 5 + "e")  # counted in bytes
        assert end_of(session) == (1009, "larger than 10 bytes")


def test_a_binary_message_ends_the_socket(client: TestClient) -> None:
    with client.websocket_connect("/ws") as session:
        session.send_bytes(b"hello")
        assert end_of(session)[0] == 1003


def test_too_many_messages_end_the_socket(make_client: MakeClient) -> None:
    client = make_client(messages_per_second=0.01, message_burst=3)
    with client.websocket_connect("/ws") as session:
        for message in ("one", "{", json.dumps(PING)):  # whatever they are
            session.send_text(message)
            session.receive_text()
        session.send_text("four")
        assert end_of(session) == (1008, "too many messages")


def test_the_allowance_grows_with_time(make_client: MakeClient) -> None:
    client = make_client(messages_per_second=50, message_burst=1)
    with client.websocket_connect("/ws") as session:
        for _ in range(3):
            session.send_text("hello")
            assert session.receive_text() == "Text: hello"
            time.sleep(0.03)


def test_a_failing_handler_ends_its_socket_and_is_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(message: Message, connection: Connection) -> Message:
        if message == "large":
            return "x" * (2 * 1024 * 1024 + 1)  # would be lost on Modal
        raise KeyError("secret detail")

    monkeypatch.setattr(handlers, "on_message", fail)
    for message, error in (("hello", "secret detail"), ("large", "2 MiB")):
        caplog.clear()
        with client.websocket_connect("/ws") as session:
            session.send_text(message)
            assert end_of(session) == (1011, "internal error")
        (record,) = (record for record in caplog.records if record.levelname == "ERROR")
        assert error in str(record.exc_info)


def test_each_socket_and_its_log_lines_have_one_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    with client.websocket_connect("/ws") as session:
        session.send_text("hello")
        session.receive_text()
        sent = dict(session.extra_headers or [])[b"x-request-id"].decode()
        session.close(4001, "enough")
        for _ in range(100):
            if '"socket"' in caplog.text:
                break
            time.sleep(0.01)
    (line,) = (json.loads(line) for line in caplog.text.splitlines() if '"socket"' in line)
    assert line["request_id"] == sent
    assert (line["code"], line["reason"], line["messages"]) == (4001, "enough", 1)
    assert line["caller"] == "tests"


def test_pages_of_other_origins_may_connect_only_where_allowed(make_client: MakeClient) -> None:
    client, other = make_client(), "https://app.example.com"
    for origin in ("http://testserver", "https://testserver"):
        with client.websocket_connect("/ws", headers={"Origin": origin}):
            pass
    for origin in (other, "null", "https://testserver.example.com", ""):
        with (
            pytest.raises(WebSocketDenialResponse) as refusal,
            client.websocket_connect("/ws", headers={"Origin": origin}),
        ):
            pass
        assert refusal.value.status_code == 403
        assert client.get("/ws", headers={"Origin": origin}).status_code == 403
    for allowed in ([other], ["*"]):
        client = make_client(allowed_origins=json.dumps(allowed))
        with client.websocket_connect("/ws", headers={"Origin": other}):
            pass


def test_a_full_container_refuses(make_client: MakeClient) -> None:
    client = make_client(max_connections=1)
    with client.websocket_connect("/ws"):
        with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect("/ws"):
            pass
        assert refusal.value.status_code == 503
        assert refusal.value.json() == {"detail": "All sockets are taken, try again later"}
        assert refusal.value.headers["Retry-After"]
        assert refusal.value.headers["X-Request-ID"]
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 200
    with client.websocket_connect("/ws"):
        pass


def call(client: TestClient, *events: Event, **scope: object) -> list[Event]:
    """Let the application talk to a server as ASGI allows it; return what it sent."""
    waiting, sent = list(events), []

    async def receive() -> Event:
        return waiting.pop(0)

    async def send(event: Event) -> None:
        sent.append(event)

    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    whole = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": headers, **scope}
    asyncio.run(client.app(whole, receive, send))
    return sent


def test_it_bears_with_what_modal_does(client: TestClient) -> None:
    connected, left = {"type": "websocket.connect"}, {"type": "websocket.disconnect"}
    hello = {"type": "websocket.receive", "text": "hello", "bytes": None}
    # A disconnect names no code.
    opened, answer = call(client, connected, hello, left)
    assert (opened["type"], answer["text"]) == ("websocket.accept", "Text: hello")
    # A client that left before a container was up never connects.
    assert call(client, left) == []
    # A refusal in words is an extension of ASGI.
    (refusal,) = call(client, connected, left, headers=[(b"origin", b"https://example.com")])
    assert (refusal["type"], refusal["code"]) == ("websocket.close", 1008)


def test_only_the_known_subprotocol_is_selected(client: TestClient) -> None:
    for offered, selected in (([], None), (["other"], None), (["other", "app.v1"], "app.v1")):
        with client.websocket_connect("/ws", subprotocols=offered) as session:
            assert session.accepted_subprotocol == selected


def test_many_clients_at_once_each_get_their_own_answers_in_order(client: TestClient) -> None:
    async def talk(url: str, name: int) -> list[str | bytes]:
        async with connect(url, additional_headers=HEADERS) as session:
            for number in range(30):
                await session.send(f"{name} {number}")
            return [await session.recv() for _ in range(30)]

    async def talk_all(url: str) -> list[list[str | bytes]]:
        return await asyncio.gather(*(talk(url, name) for name in range(40)))

    with served() as (url, _):
        heard = asyncio.run(talk_all(url))
    assert heard == [[f"Text: {name} {number}" for number in range(30)] for name in range(40)]


def test_who_is_sent_much_holds_up_nobody(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[Message] = []

    async def flood(message: Message, connection: Connection) -> Message:
        if message != "flood":
            others.append(message)
        for _ in range(20_000):
            if others:
                return "done"
            await connection.send("x")
        raise AssertionError("nobody else had a turn")

    async def crowd(url: str) -> None:
        async with (
            connect(url, additional_headers=HEADERS) as greedy,
            connect(url, additional_headers=HEADERS) as modest,
        ):
            await greedy.send("flood")
            assert await greedy.recv() == "x"
            await modest.send("hello")
            async for message in greedy:
                if message == "done":
                    break

    monkeypatch.setattr(handlers, "on_message", flood)
    with served() as (url, _):
        asyncio.run(crowd(url))


def test_who_does_not_read_is_closed_and_holds_up_nobody(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make_client(send_seconds=0.2)

    async def flood(message: Message, connection: Connection) -> Message:
        while message == "flood":
            await connection.send("x" * 1_000_000)
        return await probe(message, connection)

    def ends() -> list[tuple[int, str]]:
        return [(r.code, r.reason) for r in caplog.records if r.message == "socket"]

    async def crowd(url: str, port: int) -> None:
        with socket.socket() as narrow:
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            narrow.connect(("127.0.0.1", port))
            narrow.setblocking(False)
            options = {"sock": narrow, "max_queue": 1, "compression": None}
            async with (
                connect(url, additional_headers=HEADERS, **options) as slow,
                connect(url, additional_headers=HEADERS) as quick,
            ):
                await slow.send("flood")
                while not ends():
                    await quick.send("hello")
                    assert await quick.recv() == "Text: hello"
                    await asyncio.sleep(0.06)
                slow.transport.abort()

    monkeypatch.setattr(handlers, "on_message", flood)
    with served() as (url, _):
        asyncio.run(asyncio.wait_for(crowd(url, int(re.findall(r"\d+", url)[-1])), 5))
    assert ends()[0] == (1008, "does not read what it is sent")


def test_a_server_that_stops_says_so(client: TestClient) -> None:
    async def wait_for_the_end(url: str, server: uvicorn.Server) -> int | None:
        async with connect(url, additional_headers=HEADERS) as session:
            await session.send("hello")
            await session.recv()
            server.should_exit = True
            with pytest.raises(ConnectionClosed) as end:
                await session.recv()
        return end.value.rcvd and end.value.rcvd.code

    with served() as (url, server):
        assert asyncio.run(wait_for_the_end(url, server)) == 1012


def test_everybody_may_open_the_page(client: TestClient) -> None:
    answer = client.get("/", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_handshake_can_be_tried_over_http(client: TestClient) -> None:
    answer = client.get("/ws")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "This is a socket: connect with a WebSocket client"}


def test_health_and_readiness(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health").json() == {"status": "healthy"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/health").headers["X-Request-ID"]
    assert client.get("/nowhere").json() == {"detail": "Not Found"}

    async def not_ready() -> bool:
        return False

    monkeypatch.setattr(handlers, "is_ready", not_ready)
    assert client.get("/ready").status_code == 503


def test_the_limits_leave_room_below_those_of_modal() -> None:
    assert Settings().max_connections <= 99


def test_a_token_is_taken_from_the_header_or_a_subprotocol(client: TestClient) -> None:
    with client.websocket_connect("/ws") as session:
        assert session.accepted_subprotocol is None
    client.headers = {}
    offered = ["app.v1", f"bearer.{TOKEN}"]
    with client.websocket_connect("/ws", subprotocols=offered) as session:
        assert session.accepted_subprotocol == "app.v1"
    with client.websocket_connect("/ws", subprotocols=offered[1:]) as session:
        assert session.accepted_subprotocol is None, "the token was sent back"


@pytest.mark.parametrize(
    ("headers", "offered", "query"),
    [
        ({}, [], ""),
        ({}, ["app.v1"], ""),
        ({}, ["app.v1", "bearer."], ""),
        ({}, ["app.v1", TOKEN], ""),
        ({}, ["app.v1", f"bearer.{TOKEN}0"], ""),
        ({}, [], f"?token={TOKEN}"),
        ({"Authorization": "Bearer wrong"}, [], ""),
        ({"Authorization": f"Basic {TOKEN}"}, [], ""),
    ],
)
def test_strangers_are_turned_away_before_the_socket_opens(
    client: TestClient, headers: dict[str, str], offered: list[str], query: str
) -> None:
    client.headers = headers
    with (
        pytest.raises(WebSocketDenialResponse) as refusal,
        client.websocket_connect(f"/ws{query}", subprotocols=offered),
    ):
        pass
    for answer in (refusal.value, client.get(f"/ws{query}")):
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Missing or unknown token"}
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/health").status_code == 200


def test_tokens_are_not_logged(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_client(log_level="DEBUG")
    caplog.handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logging.getLogger("websockets.client"), "disabled", True)  # the test's own
    wrong = "wrong-" + "1" * 32

    async def come_and_go(url: str) -> None:
        async with connect(url, additional_headers=HEADERS):
            pass
        async with connect(url, subprotocols=["app.v1", f"bearer.{TOKEN}"]):
            pass
        with pytest.raises(InvalidStatus):
            await connect(url, subprotocols=["app.v1", f"bearer.{wrong}"])

    with served() as (url, _):
        asyncio.run(come_and_go(url))
    messages = [json.loads(line)["message"] for line in caplog.text.splitlines()]
    assert messages.count("socket") == 2
    assert messages.count("refused") == 1
    assert TOKEN not in caplog.text
    assert wrong not in caplog.text


def test_without_tokens_the_application_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_TOKENS", raising=False)
    with pytest.raises(RuntimeError, match="API_TOKENS"):
        create_app()
