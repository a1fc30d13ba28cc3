"""What the local server starts, with and without the engine."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from myapi import command, local, weights


def install(patch: pytest.MonkeyPatch, *, weights_too: bool) -> None:
    """As if the engine were installed here."""

    def find(models_dir: Path) -> Path:
        if not weights_too:
            raise weights.ModelMissingError("nothing here")
        return models_dir / "weights"

    patch.setattr(local, "find_spec", lambda name: ModuleSpec(name, None))
    patch.setattr(weights, "find", find)


def test_the_engine_is_started_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, weights_too=True)
    assert local.command("127.0.0.1", 1234) == command.command("127.0.0.1", 1234)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("installed", "reason"),
    [(False, "it is not installed"), (True, "its weights were not downloaded")],
)
def test_else_an_echo_is_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    installed: bool,
    reason: str,
) -> None:
    if installed:
        install(monkeypatch, weights_too=False)
    else:
        monkeypatch.setattr(local, "find_spec", lambda name: None)
    echo = [sys.executable, "-m", f"{local.__package__}.echo"]
    assert local.command("127.0.0.1", 1234) == [*echo, "--host=127.0.0.1", "--port=1234"]
    assert f"({reason}), an echo answers" in capsys.readouterr().out
