"""The application that is deployed, on a stand-in for the model, called as its clients call it."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from myapi.echo import EchoEngine
from myapi.engine import (
    BusyError,
    Engine,
    EngineFailedError,
    Reading,
    RefusedError,
    Text,
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
    answer = client.post("/probe", json={"texts": ["a b", "c"]})
    assert answer.status_code == 200
    assert [reading["tokens"] for reading in answer.json()] == [2, 1]
    assert isinstance(client.app, FastAPI)
    assert client.app.state.settings == Settings()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"texts": ["x"], "weight": NaN}',
        b'{"texts": ["x"], "weight": 1e999}',
        b'{"texts": ["\\ud800"]}',
    ],
)
def test_what_is_no_json_or_no_text_is_refused_too(client: TestClient, body: bytes) -> None:
    answer = client.post("/probe", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    for problem in answer.json()["detail"]:
        assert problem["msg"]
        assert "input" not in problem, "the answer repeats the text"


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
    [(RefusedError("why"), 422), (BusyError("why"), 503), (EngineFailedError("why"), 500)],
)
def test_what_an_engine_says_has_a_status(
    make_client: MakeClient, error: Exception, status: int
) -> None:
    class Failing(EchoEngine):
        async def read(self, texts: Sequence[Text]) -> list[Reading]:
            raise error

    answer = make_client(Failing()).post("/probe", json={"texts": ["x"]})
    assert answer.status_code == status
    refused = [{"type": "refused", "loc": ["body"], "msg": "why"}]
    assert answer.json() == {"detail": refused if status == 422 else "why"}
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_errors_are_json(client: TestClient, make_client: MakeClient) -> None:
    class Broken(EchoEngine):
        async def read(self, texts: Sequence[Text]) -> list[Reading]:
            raise RuntimeError("a secret of the GPU")

    assert client.get("/nowhere").json() == {"detail": "Not Found"}
    assert client.get("/probe").json() == {"detail": "Method Not Allowed"}
    broken = make_client(Broken()).post("/probe", json={"texts": ["x"]})
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
    answer = client.post("/probe", json={"texts": ["my secret"]}, headers=headers)
    assert answer.headers["X-Request-ID"] == "abc-123"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    line = next(line for line in lines if line["message"] == "request")
    assert line["request_id"] == "abc-123"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/probe", 200)
    assert "secret" not in caplog.text, "texts do not belong into the log"


def test_cors_is_off_unless_set(
    client: TestClient, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"Origin": "https://app.example.com"}
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers=page).headers
    monkeypatch.setenv("CORS_ORIGINS", '["https://app.example.com"]')
    allowed = make_client(EchoEngine()).get("/nowhere", headers=page)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


def test_what_modal_imports_is_light_and_has_no_stand_in() -> None:
    program = "import sys, myapi.modal_app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "myapi.web" in loaded
    heavy = {"torch", "transformers", "numpy", "huggingface_hub"}
    assert not heavy & set(loaded), "import it where the model is loaded"
    assert "myapi.echo" not in loaded
