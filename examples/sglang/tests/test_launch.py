"""The deployed object starts the engine and waits for it: the very code that runs when a container starts.

The engine is stand_in.py, with the engine's options and routes.
"""

import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
import stand_in

from myapi import command, control, modal_app, weights
from myapi.gate import CLOSED, KEY
from myapi.process import Process, ServerError

Start = Callable[..., modal_app.Server]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The engine is there, and its weights are; what it notes."""
    monkeypatch.setattr(weights, "find", lambda models_dir: models_dir / "weights")
    return stand_in.install(monkeypatch, tmp_path)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, port: int) -> Iterator[Start]:
    """Start what is deployed, and end it."""
    monkeypatch.setattr(modal_app, "PORT", port)  # its own may be taken here
    started = []

    def run(**variables: str) -> modal_app.Server:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        deployed = modal_app.Server()
        started.append(deployed)
        with warnings.catch_warnings():
            # No Volume is mounted here.
            warnings.filterwarnings("ignore", category=UserWarning, message=".*[Vv]olume")
            deployed.web.local()
        return deployed

    yield run
    for deployed in started:
        if deployed.process:
            deployed.process.stop()


def status(port: int, method: str, path: str, **headers: str) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def test_it_answers_whoever_may_call(start: Start, notes: Path, port: int) -> None:
    start()
    assert status(port, "GET", "/health") == status(port, "GET", "/ready") == 200
    assert status(port, "GET", "/v1/models") == 200


def test_the_engine_gets_the_command_that_was_built(
    start: Start, notes: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_DIR", "/somewhere")
    start()
    built = command.command("0.0.0.0", port)  # noqa: S104 (compared)
    given = json.loads(notes.read_text().splitlines()[0])
    assert [*stand_in.PROGRAM, *given] == built
    assert any("/somewhere/weights" in argument for argument in given)


def test_a_request_has_one_line_in_the_log(
    start: Start, notes: Path, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    process = start().process
    status(port, "GET", "/v1/models")
    assert process
    process.stop()
    printed = "".join(capfd.readouterr())
    # The first is from the start, which looks whether the gate is there.
    assert printed.count("myapi.middleware") == 2, printed


def test_a_slow_engine_is_waited_for(start: Start, notes: Path) -> None:
    begun = time.monotonic()
    start(SLOW="2")
    assert time.monotonic() - begun > 2, "its port was taken for its health"


def test_an_engine_that_never_is_healthy_is_an_error(
    notes: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "300")
    process = Process(command.command("127.0.0.1", port), "127.0.0.1", port)
    try:
        process.wait_until_ready(30)
        with pytest.raises(ServerError, match="/health answers 503, not 200"):
            control.Control(process, port).wait_until_healthy(0.5)
    finally:
        process.stop()


def test_a_crash_at_the_start_is_an_error(start: Start, notes: Path) -> None:
    with pytest.raises(ServerError, match="exited with code 7"):
        start(CODE="7")


def test_without_weights_it_does_not_start(
    start: Start, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(models_dir: Path) -> Path:
        raise weights.ModelMissingError(f"nothing in {models_dir}")

    monkeypatch.setattr(weights, "find", find)
    with pytest.raises(weights.ModelMissingError):
        start()
    assert notes.read_text() == "", "the engine would have looked on the hub"


def test_without_its_gate_it_does_not_start(start: Start, notes: Path) -> None:
    with pytest.raises(ServerError, match=f"^{CLOSED}: 200 for a stranger"):
        start(UNGUARDED="1")


def test_it_is_warm_when_somebody_asks(start: Start, notes: Path) -> None:
    start()
    _, *asked = notes.read_text().splitlines()
    assert asked == [control.WARM_UP]


@pytest.mark.parametrize(("path", "refused"), [("/v1/embeddings", 404), ("/v1/models", 405)])
def test_only_a_model_that_does_not_write_starts_cold(
    start: Start, notes: Path, monkeypatch: pytest.MonkeyPatch, path: str, refused: int
) -> None:
    monkeypatch.setattr(control, "WARM_UP", path)
    if refused == 404:
        start()
    else:
        with pytest.raises(ServerError, match=f"^{path}: {refused}, not 200"):
            start()
    assert notes.read_text().splitlines()[1] == path


def test_nobody_outside_reaches_what_stops_the_engine(
    start: Start, notes: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    before = notes.read_text()
    paths = ("/release_memory_occupation", "/update_weights_from_disk", CLOSED)
    for path in (*paths, "/" + paths[0], "/v1/.." + paths[0]):
        assert status(port, "POST", path, Authorization="Bearer " + "0" * 64) == 404, path
    assert notes.read_text() == before


def test_each_start_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for _ in range(2):
        control.make_key()
        keys.add(os.environ[KEY])
    assert len(keys) == 2
    assert all(len(key) == 64 for key in keys)


def test_a_start_can_read_the_weights_and_the_download_write_them() -> None:
    volumes = modal_app.Server().web.info().volumes
    assert volumes["/models"].read_only
    assert not volumes["/cache"].read_only
    (same,) = modal_app.download_model.info().volumes.values()
    assert (same.name, same.read_only) == (volumes["/models"].name, False)


def test_the_download_gets_the_pinned_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def snapshot_download(model: str, **options: object) -> str:
        asked.update(options, model=model)
        return str(tmp_path / "snapshots" / ("1" * 40))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    weights.download(tmp_path)
    assert (asked["model"], asked["revision"]) == (weights.MODEL_ID, weights.MODEL_REVISION)
    assert asked["cache_dir"] == tmp_path
    assert "1" * 40 in capsys.readouterr().out
