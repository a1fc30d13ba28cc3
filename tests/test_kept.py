"""What proofs make once for many projects is never another's."""

import os
from pathlib import Path

import pytest

import compiled
import locks

PYPROJECT = """
[project]
name = "myapi"
version = "0.1.0"
description = "{description}"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[tool.uv]
package = false
"""


def project(folder: Path, description: str, dependencies: str = "") -> Path:
    folder.mkdir()
    text = PYPROJECT.format(description=description, dependencies=dependencies)
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_a_lock_file_is_kept_for_what_locks_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "KEPT", tmp_path / "kept")
    first = project(tmp_path / "first", "one")
    locks.lock(first)
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.read_bytes() == (first / "uv.lock").read_bytes()
    kept.write_text("the kept one")
    again = project(tmp_path / "again", "two")
    locks.lock(again)
    assert (again / "uv.lock").read_text() == "the kept one"
    other = project(tmp_path / "other", "one", "'iniconfig'")
    locks.lock(other)
    assert 'name = "iniconfig"' in (other / "uv.lock").read_text()


def test_what_cannot_be_locked_says_so_and_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "KEPT", tmp_path / "kept")
    with pytest.raises(AssertionError, match="uv lock:\n"):
        locks.lock(project(tmp_path / "wrong", "one", "'no such name'"))
    assert not (tmp_path / "kept").exists()


def test_the_same_file_is_compiled_once_and_another_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "KEPT", tmp_path / "kept")
    cached = tmp_path / "module.py"
    cached.write_text("one = 1")
    packages = [tmp_path / name / "lib" / "package" for name in ("first", "same", "other")]
    for package in packages:
        package.mkdir(parents=True)
    for package in packages[:2]:
        os.link(cached, package / "module.py")
    (packages[2] / "module.py").write_text("one = 2")
    for name in ("first", "same", "other"):
        compiled.share(tmp_path / name)
    first, same, other = ((package / "__pycache__").resolve() for package in packages)
    assert first == same != other
