"""uv.lock says what the container installs, so it must be there and fit pyproject.toml."""

import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_the_lock_file_is_current() -> None:
    uv = shutil.which("uv")
    assert uv, "uv is not on the PATH: https://docs.astral.sh/uv/getting-started/installation/"
    # Without a lock Modal would resolve afresh, and build something that was never tested.
    assert (PROJECT / "uv.lock").is_file(), "uv.lock is missing: run `uv lock` and commit it"
    check = subprocess.run(
        [uv, "lock", "--check"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, f"run `uv lock` and commit it\n{check.stderr}"
