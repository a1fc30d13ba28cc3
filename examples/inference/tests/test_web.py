"""The application that is deployed, on a stand-in for the model, called as its clients call it."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient

from myapi.echo import EchoEngine
from myapi.engine import (
    Completion,
    Engine,
    Job,
    PromptRefusedError,
    cut,
)
from myapi.logs import JsonFormatter
from myapi.web import create_app


def client_of(engine: Engine) -> TestClient:
    return TestClient(create_app(engine))


@pytest.fixture
def client() -> TestClient:
    return client_of(EchoEngine())


def test_generate(client: TestClient) -> None:
    answer = client.post("/generate", json={"prompt": "a b", "max_new_tokens": 3})
    assert answer.status_code == 200
    assert answer.json() == {
        "generated": " a b a",
        "finish_reason": "length",
        "prompt_tokens": 2,
        "completion_tokens": 3,
    }


def test_the_engine_gets_what_was_asked_for() -> None:
    jobs = []

    class Recorder(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            jobs.append(job)
            return await super().generate(job)

    client = client_of(Recorder())
    body = {
        "prompt": "hé 😀",
        "max_new_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["x", "\n"],
    }
    client.post("/generate", json=body)
    client.post("/generate", json={"prompt": "plain"})
    assert jobs == [
        Job(prompt="hé 😀", max_new_tokens=9, temperature=0.5, top_p=0.9, stop=("x", "\n")),
        Job(prompt="plain", max_new_tokens=128, temperature=0.7, top_p=1.0, stop=()),
    ]


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
    (problem,) = answer.json()["detail"]
    assert problem["msg"]
    assert "input" not in problem, "the answer repeats the prompt"


def test_what_the_model_refuses_is_the_callers_error() -> None:
    class Small(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            raise PromptRefusedError("The prompt has 9 tokens; at most 8 are allowed")

    answer = client_of(Small()).post("/generate", json={"prompt": "x"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "The prompt has 9 tokens; at most 8 are allowed"}


def test_it_is_not_ready_before_the_model() -> None:
    engine = EchoEngine()
    engine.ready = False
    client = client_of(engine)
    assert client.get("/health").json() == {"status": "healthy"}
    assert client.get("/ready").status_code == 503
    early = client.post("/generate", json={"prompt": "x"})
    assert early.status_code == 503
    assert early.json() == {"detail": "The model is not loaded yet"}
    engine.ready = True
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.post("/generate", json={"prompt": "x"}).status_code == 200


def test_a_request_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
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
    answer = client_of(Slow()).post("/generate", json={"prompt": "x"})
    assert answer.status_code == 504
    assert answer.json() == {"detail": "No answer within 0.05 seconds"}
    assert cancelled


def test_errors_are_json(client: TestClient) -> None:
    class Broken(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            raise RuntimeError("a secret of the GPU")

    assert client.get("/nowhere").json() == {"detail": "Not Found"}
    assert client.get("/generate").json() == {"detail": "Method Not Allowed"}
    broken = client_of(Broken()).post("/generate", json={"prompt": "x"})
    assert broken.status_code == 500
    assert broken.json() == {"detail": "Internal server error"}
    assert broken.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: TestClient) -> None:
    for content in (b" " * 1_000_001, iter([b" " * 600_000] * 2)):  # announced, and in chunks
        answer = client.post(
            "/generate", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json() == {"detail": "Content Too Large"}


def test_each_answer_and_log_line_has_the_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    headers = {"X-Request-ID": "abc-123"}
    answer = client.post("/generate", json={"prompt": "my secret"}, headers=headers)
    assert answer.headers["X-Request-ID"] == "abc-123"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/generate", 200)
    assert "secret" not in caplog.text, "prompts do not belong into the log"


def test_cors_is_off_unless_set(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"Origin": "https://app.example.com"}
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers=page).headers
    monkeypatch.setenv("CORS_ORIGINS", '["https://app.example.com"]')
    allowed = client_of(EchoEngine()).get("/nowhere", headers=page)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


@pytest.mark.parametrize(
    ("text", "stop", "kept"),
    [
        ("one two", (), "one two"),
        ("one two", ("three",), "one two"),
        ("one two", ("two", "ne"), "o"),
        ("one two", ("one",), ""),
        ("a é😀 b", ("😀",), "a é"),
    ],
)
def test_text_ends_before_the_first_stop_string(
    text: str, stop: tuple[str, ...], kept: str
) -> None:
    assert cut(text, stop) == (kept, kept != text)


def test_what_modal_imports_is_light_and_has_no_stand_in() -> None:
    program = "import sys, myapi.modal_app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "myapi.web" in loaded
    heavy = {"torch", "transformers", "numpy", "huggingface_hub"}
    assert not heavy & set(loaded), "import it where the model is loaded"
    assert "myapi.echo" not in loaded
