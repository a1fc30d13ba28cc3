"""The download of a model says how far it is, also where its output is no terminal: on Modal it is none."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import family
from harden.hub import hub

FILES = {"config.json": b"{}", "model.safetensors": bytes(8_000_000)}
COUNTED = re.compile(rb"8\.00MB / 8\.00MB")


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family.render(template, tmp_path_factory.mktemp("download"), {"style": "inference"})


def deployed_environment(project: Path) -> dict[str, str]:
    """What `download_model` in modal_app.py has in its environment."""
    text = (project / "src/myapi/modal_app.py").read_text()
    (function,) = (
        each
        for each in ast.parse(text).body
        if isinstance(each, ast.FunctionDef) and each.name == "download_model"
    )
    (decorator,) = function.decorator_list
    assert isinstance(decorator, ast.Call)
    (found,) = (each.value for each in decorator.keywords if each.arg == "env")
    given: dict[str, str] = ast.literal_eval(found)
    return given


def download(project: Path, models: Path, variables: Mapping[str, str]) -> bytes:
    """Download from a hub on this machine; return what it says."""
    with hub(FILES) as server:
        run = subprocess.run(
            [sys.executable, "-m", "myapi.weights"],
            env={
                **os.environ,
                **variables,
                "PYTHONPATH": str(project / "src"),
                "MODELS_DIR": str(models),
                "HF_ENDPOINT": server.url,
                "HF_HOME": str(models / "home"),
                "HF_HUB_DISABLE_XET": "1",
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            check=False,
            timeout=60,
        )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stderr


def test_on_modal_bytes_are_counted(project: Path, tmp_path: Path) -> None:
    said = download(project, tmp_path, deployed_environment(project))
    assert COUNTED.search(said), said


def test_without_its_variables_they_are_not(project: Path, tmp_path: Path) -> None:
    assert not COUNTED.search(download(project, tmp_path, {}))
