"""The application that is deployed, on a stand-in for the model, called as its clients call it."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from myapi.echo import EchoEngine
from myapi.engine import (
    BusyError,
    Completion,
    Engine,
    EngineFailedError,
    Job,
    PromptRefusedError,
    cut,
)
from myapi.logs import JsonFormatter
from myapi.settings import Settings

MakeClient = Callable[[Engine], TestClient]


@pytest.fixture(autouse=True)
def stand_ins(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route and settings of these tests in place of yours, which may be anything."""
    monkeypatch.setenv("CORS_ORIGINS", "[]")
    monkeypatch.setenv("MAX_BODY_BYTES", "1000000")


def test_the_routes_of_handlers_find_the_engine_and_the_settings(client: TestClient) -> None:
    answer = client.post("/probe", json={"prompt": "a b", "max_new_tokens": 3})
    assert answer.status_code == 200
    assert answer.json() == {
        "text": " a b a",
        "finish_reason": "length",
        "prompt_tokens": 2,
        "completion_tokens": 3,
    }
    assert isinstance(client.app, FastAPI)
    assert client.app.state.settings == Settings()


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
    answer = client.post("/probe", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["msg"]
    assert "input" not in problem, "the answer repeats the prompt"


def test_everybody_may_open_the_page(client: TestClient) -> None:
    answer = client.get("/playground", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_it_is_not_ready_before_the_model(make_client: MakeClient) -> None:
    engine = EchoEngine()
    engine.ready = False
    client = make_client(engine)
    assert client.get("/health").json() == {"status": "healthy"}
    early = client.get("/ready")
    assert early.status_code == 503
    assert early.json() == {"status": "loading"}
    engine.ready = True
    assert client.get("/ready").json() == {"status": "ready"}


def test_a_stop_closes_the_engine(make_client: MakeClient) -> None:
    engine = EchoEngine()
    with make_client(engine) as client:
        assert client.get("/ready").status_code == 200
    assert not engine.ready


@pytest.mark.parametrize(
    ("error", "status"),
    [(PromptRefusedError("why"), 422), (BusyError("why"), 503), (EngineFailedError("why"), 500)],
)
def test_what_an_engine_says_has_a_status(
    make_client: MakeClient, error: Exception, status: int
) -> None:
    class Failing(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            raise error

    answer = make_client(Failing()).post("/probe", json={"prompt": "x"})
    assert answer.status_code == status
    assert answer.json() == {"detail": "why"}
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_errors_are_json(client: TestClient, make_client: MakeClient) -> None:
    class Broken(EchoEngine):
        async def generate(self, job: Job) -> Completion:
            raise RuntimeError("a secret of the GPU")

    assert client.get("/nowhere").json() == {"detail": "Not Found"}
    assert client.get("/probe").json() == {"detail": "Method Not Allowed"}
    broken = make_client(Broken()).post("/probe", json={"prompt": "x"})
    assert broken.status_code == 500
    assert broken.json() == {"detail": "Internal server error"}
    assert broken.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: TestClient) -> None:
    for content in (b" " * 1_000_001, iter([b" " * 600_000] * 2)):  # announced, and in chunks
        answer = client.post(
            "/probe", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json() == {"detail": "Content Too Large"}


def test_each_answer_and_log_line_has_the_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())
    headers = {"X-Request-ID": "abc-123"}
    answer = client.post("/probe", json={"prompt": "my secret"}, headers=headers)
    assert answer.headers["X-Request-ID"] == "abc-123"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/probe", 200)
    assert "secret" not in caplog.text, "prompts do not belong into the log"


def test_cors_is_off_unless_set(
    client: TestClient, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"Origin": "https://app.example.com"}
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers=page).headers
    monkeypatch.setenv("CORS_ORIGINS", '["https://app.example.com"]')
    allowed = make_client(EchoEngine()).get("/nowhere", headers=page)
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
