"""The routes of handlers.py and the defaults of settings.py. Yours, like the code it tests."""

import pytest
from fastapi.testclient import TestClient

from myapi.settings import Settings


def test_predict(client: TestClient) -> None:
    answer = client.post("/predict", json={"text": "one two three", "max_length": 2})
    assert answer.json() == {"result": "one two", "tokens": 2}


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": 1}, {"text": "x", "max_length": 0}, ["text"], "text", None]
)
def test_a_bad_body_is_refused_with_a_reason(client: TestClient, body: object) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "content", ["{", '{"text": NaN}', '{"text": "\\ud800"}', '{"text": 1e999}', "[" * 9999]
)
def test_what_is_not_json_is_refused(client: TestClient, content: str) -> None:
    answer = client.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


def test_items(client: TestClient) -> None:
    assert client.get("/items/1").json() == {"item_id": 1, "name": "first item"}
    assert client.get("/items/-1").status_code == 422
    missing = client.get("/items/404")
    assert missing.status_code == 404
    assert missing.json() == {"detail": "Item not found"}


def test_it_is_ready(client: TestClient) -> None:
    assert client.get("/ready").status_code == 200


def test_unless_set_no_page_may_call_and_a_request_is_small() -> None:
    settings = Settings()
    assert settings.cors_origins == []
    assert settings.max_body_bytes == 1_000_000
