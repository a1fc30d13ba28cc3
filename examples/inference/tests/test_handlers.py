"""The routes of handlers.py and the defaults of settings.py. Yours, like the code it tests."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from myapi.echo import EchoEngine
from myapi.engine import (
    Completion,
    Engine,
    EngineFailedError,
    Job,
    PromptRefusedError,
)
from myapi.logs import JsonFormatter
from myapi.settings import Settings

MakeClient = Callable[[Engine], TestClient]


def test_generate(client: TestClient) -> None:
    answer = client.post("/generate", json={"prompt": "a b", "max_new_tokens": 3})
    assert answer.status_code == 200
    assert answer.json() == {
        "generated": " a b a",
        "finish_reason": "length",
        "prompt_tokens": 2,
        "completion_tokens": 3,
    }


def test_the_engine_gets_what_was_asked_for(make_client: MakeClient) -> None:
    jobs = []

    class Recorder(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            jobs.append(job)
            return await super().generate(job)

    client = make_client(Recorder())
    body = {
        "prompt": "hé 😀",
        "max_new_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["x", "\n"],
        "seed": 7,
    }
    client.post("/generate", json=body)
    client.post("/generate", json={"prompt": "plain"})
    assert jobs == [
        Job(prompt="hé 😀", max_new_tokens=9, temperature=0.5, top_p=0.9, stop=("x", "\n"), seed=7),
        Job(prompt="plain", max_new_tokens=128, temperature=0.7),
    ]


def events(client: TestClient, **body: Any) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of a streamed answer."""
    answer = client.post("/generate", json={**body, "stream": True})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    pairs = [block.split("\n", 1) for block in answer.text.split("\n\n") if block]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in pairs
    ]


def test_a_stream_is_text_as_it_comes_and_then_the_usage(client: TestClient) -> None:
    assert events(client, prompt="é😀 b", max_new_tokens=3) == [
        ("text", {"text": " é😀"}),
        ("text", {"text": " b"}),
        ("text", {"text": " é😀"}),
        (
            "done",
            {
                "generated": " é😀 b é😀",
                "finish_reason": "length",
                "prompt_tokens": 2,
                "completion_tokens": 3,
            },
        ),
    ]


def test_a_stream_that_is_refused_has_the_status_of_the_refusal(client: TestClient) -> None:
    answer = client.post("/generate", json={"prompt": " ", "stream": True})
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (EngineFailedError("The model failed"), 500, "The model failed"),
        (TimeoutError(), 504, "No answer within 120 seconds"),
        (RuntimeError("a secret"), 500, "Internal server error"),
    ],
)
def test_an_error_in_the_middle_of_a_stream_is_an_event(
    make_client: MakeClient, error: Exception, status: int, detail: str
) -> None:
    class Failing(EchoEngine):
        async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
            yield "one"
            yield ""  # nothing new yet
            raise error

    answer = make_client(Failing()).post("/generate", json={"prompt": "x", "stream": True})
    text, ping, failure, rest = answer.text.split("\n\n")
    assert text == 'event: text\ndata: {"text": "one"}'
    assert ping == ": still there"
    assert failure.startswith("event: error\ndata: ")
    assert json.loads(failure.partition("data: ")[2]) == {"status": status, "detail": detail}
    assert not rest


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": ""},
        {"prompt": 1},
        {"prompt": "x" * 100_001},
        {"prompt": "x", "max_new_tokens": 0},
        {"prompt": "x", "max_new_tokens": 1_025},
        {"prompt": "x", "temperature": -0.1},
        {"prompt": "x", "temperature": 2.1},
        {"prompt": "x", "top_p": 0},
        {"prompt": "x", "top_p": 1.1},
        {"prompt": "x", "stop": [""]},
        {"prompt": "x", "stop": ["x"] * 5},
        {"prompt": "x", "stop": "x"},
        {"prompt": "x", "seed": "x"},
        {"prompt": "   "},
        ["prompt"],
        None,
    ],
)
def test_a_bad_body_is_refused_with_a_reason(client: TestClient, body: object) -> None:
    answer = client.post("/generate", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"prompt": "x", "temperature": NaN}',
        b'{"prompt": "x", "temperature": 1e999}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "x", "stop": ["\\ud800"]}',
    ],
)
def test_what_is_no_json_or_no_text_is_refused_too(client: TestClient, body: bytes) -> None:
    answer = client.post("/generate", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_what_the_model_refuses_is_the_callers_error(make_client: MakeClient) -> None:
    class Small(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            raise PromptRefusedError("The prompt has 9 tokens; at most 8 are allowed")

    answer = make_client(Small()).post("/generate", json={"prompt": "x"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "The prompt has 9 tokens; at most 8 are allowed"}


def test_it_waits_for_the_model(make_client: MakeClient) -> None:
    engine = EchoEngine()
    engine.ready = False
    client = make_client(engine)
    early = client.post("/generate", json={"prompt": "x"})
    assert early.status_code == 503
    assert early.json() == {"detail": "The model is not ready: loading"}
    assert early.headers["Retry-After"]
    engine.ready = True
    assert client.post("/generate", json={"prompt": "x"}).status_code == 200


def test_a_request_that_takes_too_long_is_given_up(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = []

    class Slow(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                cancelled.append(job)
                raise
            return await super().generate(job)

    monkeypatch.setenv("GENERATE_TIMEOUT", "0.05")
    answer = make_client(Slow()).post("/generate", json={"prompt": "x"})
    assert answer.status_code == 504
    assert answer.json() == {"detail": "No answer within 0.05 seconds"}
    assert cancelled


def test_prompts_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    assert client.post("/generate", json={"prompt": "my secret"}).status_code == 200
    assert caplog.text
    assert "secret" not in caplog.text


def test_unless_set_no_page_may_call_and_a_request_is_small() -> None:
    settings = Settings()
    assert settings.cors_origins == []
    assert settings.max_body_bytes == 1_000_000
