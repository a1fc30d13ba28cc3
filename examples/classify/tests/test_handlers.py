"""The routes of handlers.py and the defaults of settings.py. Yours, like the code it tests."""

import logging

import pytest
from fastapi.testclient import TestClient

from myapi.settings import Settings


def test_each_text_has_its_likeliest_label(client: TestClient) -> None:
    answer = client.post("/classify", json={"texts": ["good and great", "awful", "é😀"]})
    assert answer.status_code == 200
    good, bad, neither = answer.json()["results"]
    assert good == {
        "label": "positive",
        "score": 0.75,
        "scores": {"negative": 0.25, "positive": 0.75},
    }
    assert bad["label"] == "negative"
    assert neither["score"] == 0.5
    assert answer.json()["tokens"] == 5


def test_texts_do_not_belong_into_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    assert client.post("/classify", json={"texts": ["my secret"]}).status_code == 200
    printed = capsys.readouterr()
    assert "secret" not in caplog.text + printed.out + printed.err


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"texts": []},
        {"texts": [""]},
        {"texts": [" "]},
        {"texts": "one"},
        {"texts": [1]},
        {"texts": ["x"] * 257},
        {"texts": ["x" * 100_001]},
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, body: dict[str, object]) -> None:
    assert client.post("/classify", json=body).status_code == 422


def test_defaults() -> None:
    settings = Settings()
    assert settings.max_body_bytes == 1_000_000
    assert settings.max_text_tokens == 8_192
