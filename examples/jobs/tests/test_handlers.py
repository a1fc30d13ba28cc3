"""The work of handlers.py and the defaults of settings.py. Yours, like the code it tests."""

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from myapi.settings import Settings


def finish(client: TestClient, job: dict[str, Any]) -> Any:
    """Start a job, and wait until it is over."""
    url = client.post("/jobs", json=job).headers["Location"]
    deadline = time.monotonic() + 10
    while (answer := client.get(url).json())["status"] in {"pending", "running"}:
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)
    return answer


def test_it_counts_words(client: TestClient) -> None:
    job = finish(client, {"texts": ["one two three", "four"]})
    assert job["status"] == "done"
    assert job["result"] == {"words": [3, 1]}
    assert (job["progress"]["done"], job["progress"]["total"]) == (2, 2)


def test_a_text_without_words_fails_with_a_reason(client: TestClient) -> None:
    job = finish(client, {"texts": ["one", " "]})
    assert (job["status"], job["error"]) == ("failed", "Text 2 has no words")


@pytest.mark.parametrize(
    "body", [{}, {"texts": []}, {"texts": [1]}, {"texts": ["x"], "pause": -1}, ["texts"], None]
)
def test_a_bad_job_is_refused_with_a_reason(client: TestClient, body: object) -> None:
    answer = client.post("/jobs", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "content", ["{", '{"texts": NaN}', '{"texts": ["\\ud800"]}', '{"pause": 1e999}', "[" * 9999]
)
def test_what_is_not_json_is_refused(client: TestClient, content: str) -> None:
    answer = client.post("/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


def test_it_is_ready(client: TestClient) -> None:
    assert client.get("/ready").status_code == 200


def test_unless_set_no_page_may_call_and_a_request_is_small() -> None:
    settings = Settings()
    assert settings.cors_origins == []
    assert settings.max_body_bytes == 1_000_000
    assert settings.events_seconds < 150
