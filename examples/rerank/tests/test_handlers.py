"""The routes of handlers.py and the defaults of settings.py. Yours, like the code it tests."""

import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient

from myapi import weights
from myapi.settings import Settings

DOCUMENTS = ["nothing", "a blue sea", "the blue sea", "blue"]


def rerank(client: TestClient, **options: object) -> list[dict[str, Any]]:
    body = {"query": "the blue sea", "documents": DOCUMENTS, **options}
    answer = client.post("/rerank", json=body)
    assert answer.status_code == 200
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_the_best_comes_first(client: TestClient) -> None:
    results = rerank(client)
    assert [each["index"] for each in results] == [2, 1, 3, 0]
    scores = [each["relevance_score"] for each in results]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == (1, 0)
    assert "document" not in results[0]


def test_of_equals_the_first_that_was_named(client: TestClient) -> None:
    results = rerank(client, documents=["sea", "blue", "nothing", "sea"])
    assert [each["index"] for each in results] == [0, 1, 3, 2]


def test_only_so_many_and_with_their_texts(client: TestClient) -> None:
    results = rerank(client, top_n=2, return_documents=True)
    assert [each["document"]["text"] for each in results] == ["the blue sea", "a blue sea"]
    assert len(rerank(client, top_n=9)) == 4


def test_the_model_may_be_named(client: TestClient) -> None:
    assert len(rerank(client, model=weights.MODEL_ID)) == 4
    body = {"query": "x", "documents": ["x"], "model": "another"}
    assert client.post("/rerank", json=body).status_code == 404


def test_tokens_are_those_of_all_pairs(client: TestClient) -> None:
    body = {"query": "one two", "documents": ["three", "four five"]}
    assert client.post("/rerank", json=body).json()["tokens"] == 7


def test_texts_do_not_belong_into_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    rerank(client, query="my secret", documents=["a secret"])
    printed = capsys.readouterr()
    assert "secret" not in caplog.text + printed.out + printed.err


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": "x"},
        {"query": "", "documents": ["x"]},
        {"query": " ", "documents": ["x"]},
        {"query": "x", "documents": []},
        {"query": "x", "documents": [""]},
        {"query": "x", "documents": "x"},
        {"query": "x", "documents": [{"text": "x"}]},
        {"query": "x", "documents": ["x"] * 257},
        {"query": "x", "documents": ["x"], "top_n": 0},
        {"query": "x", "documents": ["x"], "top_n": "1"},
        {"query": "x", "documents": ["x"], "return_documents": "yes"},
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, body: dict[str, object]) -> None:
    assert client.post("/rerank", json=body).status_code == 422


def test_defaults() -> None:
    settings = Settings()
    assert settings.max_body_bytes == 1_000_000
    assert settings.max_text_tokens == 8_192
