"""The routes of handlers.py and the defaults of settings.py. Yours, like the code it tests."""

import logging
import math

import pytest
from fastapi.testclient import TestClient

from myapi.settings import Settings


def embed(client: TestClient, *texts: str, **options: object) -> list[list[float]]:
    answer = client.post("/embed", json={"texts": texts, **options})
    assert answer.status_code == 200
    vectors: list[list[float]] = answer.json()["vectors"]
    return vectors


def nearness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_each_text_has_a_vector_of_length_1(client: TestClient) -> None:
    vectors = embed(client, "The sea", "is wide", "é😀")
    assert len(vectors) == 3
    for vector in vectors:
        assert math.hypot(*vector) == pytest.approx(1)
    assert client.post("/embed", json={"texts": ["a b", "c"]}).json()["tokens"] == 3


def test_texts_that_share_words_are_near_each_other(client: TestClient) -> None:
    sea, water, other = embed(client, "the wide sea", "the deep sea", "nobody slept yesterday")
    assert nearness(sea, water) > nearness(sea, other)


def test_fewer_dimensions(client: TestClient) -> None:
    (whole,) = embed(client, "The sea is wide")
    (short,) = embed(client, "The sea is wide", dimensions=3)
    length = math.hypot(*whole[:3])
    assert short == pytest.approx([value / length for value in whole[:3]])
    answer = client.post("/embed", json={"texts": ["x"], "dimensions": len(whole) + 1})
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["msg"] == "dimensions=9 is too many; at most 8 are there"


def test_texts_do_not_belong_into_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    embed(client, "my secret")
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
        {"texts": ["x"], "dimensions": 0},
        {"texts": ["x"], "dimensions": "2"},
        {"texts": ["x"], "dimensions": True},
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, body: dict[str, object]) -> None:
    assert client.post("/embed", json=body).status_code == 422


def test_defaults() -> None:
    settings = Settings()
    assert settings.max_body_bytes == 1_000_000
    assert settings.max_text_tokens == 8_192
