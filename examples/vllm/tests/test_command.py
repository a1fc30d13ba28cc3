"""The command line of vLLM: what the settings do to it."""

from pathlib import Path

import pytest

from myapi import command, modal_app, weights
from myapi.settings import Settings


def built() -> list[str]:
    return command.arguments(Settings(), Path("/models/here"), "1.2.3.4", 5678)


def test_what_it_always_says() -> None:
    assert built()[:3] == ["vllm", "serve", "/models/here"]
    assert {
        f"--served-model-name={weights.MODEL_ID}",
        "--host=1.2.3.4",
        "--port=5678",
        "--middleware=myapi.gate.Gate",
        "--max-model-len=auto",
        "--gpu-memory-utilization=0.9",
    } < set(built())


def test_the_model_is_split_among_all_gpus() -> None:
    info = modal_app.Server().web.info()
    assert {count for _, count in info.gpus} == {command.GPUS}
    assert f"--tensor-parallel-size={command.GPUS}" in built()


def test_all_that_modal_sends_is_in_one_batch() -> None:
    inputs = modal_app.Server().web.info().concurrency_info
    assert inputs
    assert f"--max-num-seqs={inputs.max_inputs}" in built()


def test_settings_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_MODEL_LEN", "4096")
    monkeypatch.setenv("GPU_MEMORY_FRACTION", "0.85")
    monkeypatch.setenv("ENGINE_OPTIONS", '["--seed", "1"]')
    assert {"--max-model-len=4096", "--gpu-memory-utilization=0.85"} < set(built())
    assert built()[-2:] == ["--seed", "1"], "the owner's options come last, so that they win"


def test_no_shell_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKENS", "tests:test-" + "0" * 32)
    monkeypatch.setenv("CONTROL_KEY", "k" * 64)
    assert all(isinstance(argument, str) for argument in built())
    assert not any("0" * 32 in argument or "k" * 64 in argument for argument in built())
