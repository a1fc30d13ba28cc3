"""The command line of SGLang: what the settings do to it."""

import sys
from pathlib import Path

import pytest

from myapi import command, launch, modal_app, weights
from myapi.settings import Settings


def built() -> list[str]:
    return command.arguments(Settings(), Path("/models/here"), "1.2.3.4", 5678)


def test_what_it_always_says() -> None:
    assert built()[:3] == [sys.executable, "-m", "myapi.launch"]
    assert {
        "--model-path=/models/here",
        f"--served-model-name={weights.MODEL_ID}",
        "--host=1.2.3.4",
        "--port=5678",
        "--skip-server-warmup",
    } < set(built())


def test_the_engine_decides_what_nobody_sets() -> None:
    assert not any(word.startswith(("--context", "--mem-fraction")) for word in built())


def test_the_model_is_split_among_all_gpus() -> None:
    info = modal_app.Server().web.info()
    assert {count for _, count in info.gpus} == {command.GPUS}
    assert f"--tp-size={command.GPUS}" in built()


def test_all_that_modal_sends_is_in_one_batch() -> None:
    inputs = modal_app.Server().web.info().concurrency_info
    assert inputs
    assert f"--max-running-requests={inputs.max_inputs}" in built()


def test_settings_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_MODEL_LEN", "4096")
    monkeypatch.setenv("GPU_MEMORY_FRACTION", "0.85")
    monkeypatch.setenv("ENGINE_OPTIONS", '["--random-seed", "1"]')
    assert {"--context-length=4096", "--mem-fraction-static=0.85"} < set(built())
    assert built()[-2:] == ["--random-seed", "1"], "the owner's options come last, so that they win"


def test_no_shell_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKENS", "tests:test-" + "0" * 32)
    monkeypatch.setenv("CONTROL_KEY", "k" * 64)
    assert all(isinstance(argument, str) for argument in built())
    assert not any("0" * 32 in argument or "k" * 64 in argument for argument in built())


def test_where_all_arguments_are_logged_the_key_is_not_said() -> None:
    hidden = launch.Hidden("k" * 64)
    assert hidden == "k" * 64
    assert hidden not in repr({"admin_api_key": hidden})
