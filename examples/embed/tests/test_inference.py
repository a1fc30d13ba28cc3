"""The class that Modal runs, and the local server's stand-in for it, on a tiny random model."""

import asyncio
import gc
import socket
import warnings
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from myapi import local, modal_app, weights
from myapi.echo import EchoEngine
from myapi.engine import RefusedError


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app)


def started() -> FastAPI:
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        # No Volume is mounted here.
        warnings.filterwarnings("ignore", category=UserWarning, message=".*[Vv]olume")
        patch.setenv("MODEL_DEVICE", "cpu")
        app: FastAPI = modal_app.Inference().web.local()
    return app


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise AssertionError("a start asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.usefixtures("offline", "probe")
def test_the_class_serves_the_model(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    app = started()
    client = client_of(app)
    assert client.get("/ready").json() == {"status": "ready"}
    assert gc.isenabled()
    assert gc.get_freeze_count(), "every collection looks through the whole model"
    body = {"texts": ["The sea is", "Ships"]}
    first = client.post("/probe", json=body)
    assert first.status_code == 200
    assert [reading["tokens"] for reading in first.json()] == [5, 3]
    assert first.json() == client.post("/probe", json=body).json()
    with pytest.raises(RefusedError, match="tokens"):
        asyncio.run(app.state.engine.read(["sea " * 300]))


@pytest.mark.usefixtures("offline")
def test_without_weights_it_does_not_start(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    with pytest.raises(weights.ModelMissingError, match="modal_app::download_model"):
        started()
    assert not list(tmp_path.iterdir()), "a search must not write"


def test_the_local_server_takes_the_model_where_there_is_one(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    monkeypatch.setenv("MODEL_DEVICE", "cpu")
    assert not isinstance(local.application().state.engine, EchoEngine)
    assert "echo" not in capsys.readouterr().out


@pytest.mark.usefixtures("probe")
def test_the_local_server_says_when_an_echo_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    app = local.application()
    assert isinstance(app.state.engine, EchoEngine)
    assert "an echo answers" in capsys.readouterr().out
    (reading,) = client_of(app).post("/probe", json={"texts": ["a b"]}).json()
    assert reading["tokens"] == 2


def test_the_download_gets_the_pinned_model(
    models_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import huggingface_hub

    asked = {}

    def snapshot_download(model: str, **options: object) -> str:
        asked.update(options, model=model)
        return str(tmp_path / "snapshots" / ("1" * 40))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    weights.download(tmp_path)
    assert asked["model"] == weights.MODEL_ID
    assert asked["revision"] == weights.MODEL_REVISION
    assert asked["cache_dir"] == tmp_path
    assert "1" * 40 in capsys.readouterr().out


def test_a_start_can_read_the_weights_and_the_download_write_them() -> None:
    (volume,) = modal_app.Inference().web.info().volumes.values()
    assert volume.read_only
    (same,) = modal_app.download_model.info().volumes.values()
    assert (same.name, same.read_only) == (volume.name, False)
