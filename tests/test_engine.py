"""The inference style with the real torch and transformers, which its users install as an extra of several GB."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import family

INFERENCE = [answers for answers in family.styles() if answers["style"] == "inference"]
# Each auth with a snapshot, which is the default; and what a container starts from otherwise.
COMBINATIONS = [
    *INFERENCE,
    INFERENCE[0] | {"memory_snapshot": False},
    INFERENCE[0] | {"gpu_snapshot": True},
]


@pytest.mark.parametrize("answers", COMBINATIONS, ids=family.identify)
def test_its_tests_pass_on_a_model_made_on_the_spot(
    template: Path, tmp_path: Path, answers: family.Answers
) -> None:
    project = family.render(template, tmp_path, answers)
    subprocess.run(["uv", "lock", "--quiet"], cwd=project, check=True)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "--color=no", "-rs"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout[-8000:] + tests.stderr[-2000:]
    assert not re.search(r"\d+ skipped", tests.stdout), (
        f"a skipped test proves nothing:\n{tests.stdout}"
    )
    assert int(re.findall(r"(\d+) passed", tests.stdout)[-1]) >= 100, tests.stdout
