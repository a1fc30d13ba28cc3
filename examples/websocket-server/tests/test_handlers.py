"""What handlers.py answers and the defaults of settings.py. Yours, like the code it tests."""

from fastapi.testclient import TestClient

from myapi.settings import Settings


def test_text_and_json_are_echoed(client: TestClient) -> None:
    with client.websocket_connect("/ws") as session:
        for text in ("hello", "", "héllo 👋", "[1]", "12", "null", " hello {"):
            session.send_text(text)
            assert session.receive_text() == f"Echo: {text}"
        for message in ({}, {"a": ["ö", 1.5, None]}, {"type": "ping", "id": 1}):
            session.send_json(message)
            assert session.receive_json() == {"type": "echo", "message": message}


def test_it_is_ready(client: TestClient) -> None:
    assert client.get("/ready").json() == {"status": "ready"}


def test_unless_set_no_other_page_may_connect() -> None:
    assert Settings().allowed_origins == []
