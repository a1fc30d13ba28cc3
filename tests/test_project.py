"""Projects as their users have them: rendered, installed from their own pyproject, tested, served, called, ended."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import family
from serving import family_tree, free_port

# A documented request in README.md: what it does, the command, and the answer where it is JSON.
CALL = re.compile(
    r"^(?P<what>[^\n]+):\n\n```bash\n(?P<command>curl [^\n]+)\n```\n(\n```json\n(?P<answer>.+?)\n```\n)?",
    re.MULTILINE | re.DOTALL,
)
PYTHON = re.compile(r"^```python\n(?P<code>.+?)^```$", re.MULTILINE | re.DOTALL)
SECRETS = {
    "API_TOKENS": "ann:" + secrets.token_hex(32),
    "LOGIN_USERS": "ann:" + secrets.token_hex(16),
    "DJANGO_SECRET_KEY": secrets.token_hex(32),
}


@dataclass(frozen=True)
class Project:
    folder: Path
    answers: family.Answers

    def uv(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run `uv …` in the project; a failure fails the test with all that was printed."""
        run = subprocess.run(
            ["uv", *command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, (
            f"uv {' '.join(command)}:\n{run.stdout[-6000:]}{run.stderr[-3000:]}"
        )
        return run

    @contextmanager
    def served(self, port: int = 0) -> Iterator[tuple[str, psutil.Process]]:
        """Serve it as README says; yield the URL that it prints, and its process (uv's, the top one)."""
        environment = {**os.environ, **SECRETS, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            ["uv", "run", family.NAME, "--port", str(port or free_port())],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            lines = []
            assert process.stdout
            for line in process.stdout:
                lines.append(line)
                if line.startswith(f"{family.NAME}: ") and (
                    url := re.search(r"http://[\d.:]+", line)
                ):
                    yield url[0], psutil.Process(process.pid)
                    break
            else:
                raise AssertionError("it never said where it serves:\n" + "".join(lines))
        finally:
            for left in family_tree(process.pid):
                left.kill()
            process.wait()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = metafunc.config.getoption("style")
    chosen = [answers for answers in family.styles() if wanted in (None, family.kind(answers))]
    assert chosen, f"no such style: {wanted}"
    projects = [  # each is made once, by one of the workers
        pytest.param(
            answers,
            id=family.identify(answers),
            marks=pytest.mark.xdist_group(family.identify(answers)),
        )
        for answers in chosen
    ]
    metafunc.parametrize("project", projects, indirect=True, scope="module")


@pytest.fixture(scope="module")
def project(
    request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    folder = family.render(template, tmp_path_factory.mktemp("project"), request.param)
    project = Project(folder, request.param)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    project.uv("sync", "--quiet")
    return project


def test_its_own_checks_pass(project: Project) -> None:
    project.uv("run", "ruff", "check")
    project.uv("run", "ruff", "format", "--check")
    project.uv("run", "mypy")
    tests = project.uv("run", "pytest", "--color=no").stdout
    passed = re.search(r"(\d+) passed", tests)
    assert int(passed[1] if passed else 0) >= 8, f"too few tests:\n{tests}"


def test_the_deployed_module_imports_in_silence(project: Project) -> None:
    run = project.uv("run", "python", "-W", "error", "-c", f"import {family.NAME}.modal_app")
    assert run.stdout + run.stderr == ""


def test_the_documented_calls_answer_as_documented(project: Project) -> None:
    readme = (project.folder / "README.md").read_text()
    calls = list(CALL.finditer(readme))
    programs = list(PYTHON.finditer(readme))
    assert calls, "README documents no call"
    with project.served() as (url, _):
        environment = {
            **os.environ,
            **SECRETS,
            "URL": url,
            "TOKEN": SECRETS["API_TOKENS"].partition(":")[2],
            "MODAL_KEY": "wk-unused-here",
            "MODAL_SECRET": "ws-unused-here",
        }
        for call in calls:
            command = call["command"] + r" -w '\n%{http_code}'"
            run = subprocess.run(
                ["bash", "-c", command], env=environment, capture_output=True, text=True, check=True
            )
            body, _, status = run.stdout.rpartition("\n")
            documented = re.search(r"\((\d{3})\)$", call["what"])
            assert status == (documented[1] if documented else "200"), f"{command}\n{run.stdout}"
            if call["answer"]:
                assert json.loads(body) == json.loads(call["answer"]), command
            if "Authorization: Bearer" in command:
                stranger = subprocess.run(
                    ["bash", "-c", command],
                    env={**environment, "TOKEN": "wrong"},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                assert stranger.stdout.endswith("401"), f"open to strangers: {command}"
        for program in programs:
            subprocess.run(
                ["uv", "run", "python", "-c", program["code"]],
                cwd=project.folder,
                env=environment,
                check=True,
                timeout=30,
            )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_ends_cleanly(project: Project, name: str) -> None:
    with project.served() as (_, process):
        processes = family_tree(process.pid)
        started = time.monotonic()
        if name == "SIGINT":  # a terminal sends it to all
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(processes, timeout=20)
        assert not left, f"orphans after {time.monotonic() - started:.0f} s: {left}"


def test_a_taken_port_is_one_line(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = subprocess.run(
            ["uv", "run", family.NAME, "--port", str(taken.getsockname()[1])],
            cwd=project.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert "cannot listen" in run.stderr
