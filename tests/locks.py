"""Lock files as `uv lock` makes them, each once a day for all proofs on this machine: most projects lock the same."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import family

KEPT = family.ROOT / ".nox" / "locks"
# The part of [project] that a lock file is made from.
RESOLVED = ("name", "version", "requires-python", "dependencies", "optional-dependencies")


def lock(project: Path) -> None:
    """Lock a project that has no lock file yet.

    Raises:
        AssertionError: with what uv printed.
    """
    kept = _kept(project)
    if kept.exists():
        shutil.copy(kept, project / "uv.lock")
        return
    run = subprocess.run(
        ["uv", "lock", "--quiet"], cwd=project, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"uv lock:\n{run.stderr}"
    keep(project)


def keep(project: Path) -> None:
    """Keep the lock file that uv has just made for a project."""
    kept = _kept(project)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as file:
        file.write((project / "uv.lock").read_bytes())
    os.replace(file.name, kept)  # at once: others may be reading


def resolved(pyproject: Mapping[str, Any]) -> str:
    """All that a lock file is made from."""
    project = {name: pyproject["project"].get(name) for name in RESOLVED}
    settings = {
        name: value for name, value in pyproject["tool"]["uv"].items() if name != "build-backend"
    }
    groups = pyproject.get("dependency-groups")
    return json.dumps([project, groups, settings], sort_keys=True)


def _kept(project: Path) -> Path:
    pyproject = tomllib.loads((project / "pyproject.toml").read_text())
    key = f"{version('uv')} {date.today()} {resolved(pyproject)}"
    return KEPT / f"{hashlib.sha256(key.encode()).hexdigest()}.lock"
