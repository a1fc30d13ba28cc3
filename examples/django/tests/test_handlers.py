"""The routes of handlers.py, the limit of settings.py. Yours, like the code it tests."""

import httpx2
import pytest

from myapi import modal_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx2.Client:
    monkeypatch.setenv("DJANGO_SECRET_KEY", "test-" + "0123456789" * 5)
    headers = {"Content-Type": "application/json"}
    transport = httpx2.WSGITransport(modal_app.web.local())
    return httpx2.Client(transport=transport, base_url="http://localhost", headers=headers)


def test_home(client: httpx2.Client) -> None:
    assert client.get("/").json() == {"message": "Hello from Django!"}


def test_predict(client: httpx2.Client) -> None:
    answer = client.post("/predict", json={"text": "one two three", "max_length": 2})
    assert answer.json() == {"result": "one two", "tokens": 2}
    assert client.get("/predict").status_code == 405


@pytest.mark.parametrize(
    "body", [b"{}", b'{"text": ""}', b'{"text": 1}', b'{"text": "x", "max_length": 0}', b"{"]
)
def test_a_bad_body_is_refused_with_a_reason(client: httpx2.Client, body: bytes) -> None:
    answer = client.post("/predict", content=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["msg"]


def test_another_content_type_is_refused(client: httpx2.Client) -> None:
    answer = client.post(
        "/predict", content=b'{"text": "x"}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415


def test_a_large_body_is_refused(client: httpx2.Client) -> None:
    assert client.post("/predict", content=b" " * 1_000_001).status_code == 413


def test_it_is_ready(client: httpx2.Client) -> None:
    assert client.get("/ready").status_code == 200
