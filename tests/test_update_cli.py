"""The commands of README as a newcomer gives them: a fresh home, no trust, no answers; on the lowest and the newest Copier."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import family
import fast_copier
import slices
from releases import git
from updates import history
from updates.history import History

KEPT = {"PATH", "TMPDIR", "COPIER_SETTINGS_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> History:
    return history.build(tmp_path_factory.mktemp("past") / "modal-endpoints")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def run_copier(home: Path, folder: Path, *arguments: str, status: int = 0) -> str:
    """What `copier …` prints there, without a terminal to ask at."""
    environment = {name: value for name, value in os.environ.items() if name in KEPT}
    run = subprocess.run(
        [*fast_copier.COMMAND.split(), fast_copier.PLAIN, *arguments],
        cwd=folder,
        env=environment | {"HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, f"exit {run.returncode}:\n{run.stdout}{run.stderr}"
    return run.stdout + run.stderr


def commit(project: Path, message: str) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", message)


@pytest.mark.parametrize("style", slices.taken(family.questions()["style"]["choices"].values()))
def test_copy_check_and_update_ask_for_no_trust(
    past: History, home: Path, tmp_path: Path, style: str
) -> None:
    server = family.questions()["server_app"]["default"]
    having = past.having(server if style == "server" else style)
    ref = f"--vcs-ref={having[-1] if having else past.today}"
    answer = ("--data", f"style={style}")
    run_copier(home, tmp_path, "copy", "--defaults", ref, *answer, past.url, "myapi")
    project = tmp_path / "myapi"
    git(project, "init", "--quiet")
    commit(project, "Rendered")
    news = json.loads(run_copier(home, project, "check-update", "--output-format", "json"))
    assert news["update_available"] is True
    assert news["latest_version"] == past.tomorrow.removeprefix("v")
    run_copier(home, project, "check-update", "--quiet", status=2)
    printed = run_copier(home, project, "update", "--defaults")
    assert "git diff --name-only --diff-filter=U" in printed
    commit(project, "Updated")
    assert f"_commit: {past.tomorrow}" in (project / ".copier-answers.yml").read_text()
    run_copier(home, project, "check-update", "--quiet")
    run_copier(home, project, "recopy", "--defaults", "--overwrite", f"--vcs-ref={past.tomorrow}")
    assert git(project, "status", "--porcelain") == ""


def test_an_answer_is_changed_as_readme_says(past: History, home: Path, tmp_path: Path) -> None:
    run_copier(home, tmp_path, "copy", "--defaults", f"--vcs-ref={past.today}", past.url, "myapi")
    project = tmp_path / "myapi"
    git(project, "init", "--quiet")
    commit(project, "Rendered")
    readme = (project / "README.md").read_text()
    line = next(line for line in readme.splitlines() if "max_containers=" in line and "uvx" in line)
    command = line.partition("#")[0].split()
    assert command[:2] == ["uvx", "copier"]
    run_copier(home, project, *command[2:], "--defaults")
    assert "_commit: " + past.today in (project / ".copier-answers.yml").read_text()
    assert "max_containers: 20" in (project / ".copier-answers.yml").read_text()
    assert "max_containers=20" in (project / "src/myapi/modal_app.py").read_text()
