"""Engines are asked for nothing that they do not know: options, routes and variables, against what their wheels say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import family
from engines import record
from rehearsal.promise import ENGINES

ASK = """
import json
from pathlib import Path
from myapi import command, gate
from myapi.settings import Settings
words = command.arguments(Settings(), Path("/weights"), "127.0.0.1", 8000)
asleep = (*getattr(command, "SLEEP", ()), getattr(command, "WAKE_UP", ""))
print(json.dumps([words, gate.CLOSED, *asleep]))
"""
# What each engine has, or these words would prove nothing.
LEAST_OPTIONS, LEAST_ROUTES, LEAST_VARIABLES = 200, 30, 30
# Besides what the command and the control ask for.
ROUTES = ("/health", "/v1/models", "/v1/chat/completions", "/v1/completions")


def known(engine: str) -> tuple[str, set[str]]:
    version, *words = (record.HERE / f"{engine}.txt").read_text().split()
    return version, set(words)


def check(words: list[str], has: set[str]) -> None:
    """Raise AssertionError for an option, route or variable that an engine lacks."""
    unknown = [word for word in map(bare, words) if word not in has]
    assert not unknown, f"it knows no {', '.join(unknown)}"


def bare(word: str) -> str:
    return re.split("[=?]", word, maxsplit=1)[0]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def asked(engine: str, template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All that projects ask of it: among several GPUs, and asleep in a snapshot."""
    words: list[str] = [*ROUTES, *(name for part in ENGINES[engine] for name in part)]
    for answers in ({"gpu": "H100:2"}, {"gpu_snapshot": True}):
        given = {"style": "server", "server_app": engine, "auth": "bearer", **answers}
        project = family.render(template, tmp_path_factory.mktemp(engine), given)
        run = subprocess.run(
            [sys.executable, "-c", ASK],
            env={**os.environ, "PYTHONPATH": str(project / "src")},
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
        )
        command, *paths = json.loads(run.stdout)
        words += [word for word in command if word.startswith("--")]
        words += [path for path in paths if path]
    # Variables of libraries are not the engine's.
    return [word for word in words if word.startswith(("--", "/", engine.upper()))]


def test_the_record_is_of_the_version_that_projects_pin(engine: str) -> None:
    facts = yaml.safe_load((family.ROOT / "styles" / f"{engine}.yml").read_text())
    pinned = re.findall(
        rf"^{engine}==([\w.]+)", "\n".join(facts["extra_dependencies"]), re.MULTILINE
    )
    assert pinned == [known(engine)[0]], "python tests/engines/record.py WHEEL"


@pytest.mark.parametrize(
    ("model", "gpu", "minutes"),
    [("Qwen/Qwen3-4B", "L4", 15), ("a/b-70b", "H200:2", 19), ("a/b-405B-FP8", "H200:8", 28)],
)
def test_a_start_has_time_for_a_model_of_its_size(
    engine: str, model: str, gpu: str, minutes: int
) -> None:
    given = {"style": "server", "server_app": engine, "model_id": model, "gpu": gpu}
    assert family.known(given)["startup_timeout"] == 60 * minutes
    tuned = {**given, "startup_timeout": 77}
    assert family.known(tuned)["startup_timeout"] == 77


def test_the_record_is_whole(engine: str) -> None:
    _, has = known(engine)
    assert sum(word.startswith("--") for word in has) >= LEAST_OPTIONS
    assert sum(word.startswith("/") for word in has) >= LEAST_ROUTES
    assert sum(word.startswith(engine.upper()) for word in has) >= LEAST_VARIABLES


def test_an_engine_knows_all_that_it_is_asked_for(engine: str, asked: list[str]) -> None:
    assert len(set(map(bare, asked))) >= 15, asked
    check(asked, known(engine)[1])


def test_each_word_that_is_misspelt_is_caught(engine: str, asked: list[str]) -> None:
    _, has = known(engine)
    for word in asked:
        name = bare(word)
        with pytest.raises(AssertionError, match="it knows no"):
            check([word.replace(name, f"{name[:-1]}_", 1)], has)
