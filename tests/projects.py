"""What must hold for a project as its user has it: installed, tested, served, called, ended.

Each check raises AssertionError with what it saw.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

import compiled
import family
import locks

# A documented request in README.md: what it does, the command, and the answer where it is JSON.
CALL = re.compile(
    r"^(?P<what>[^\n]+):\n\n```bash\n(?P<command>curl [^\n]+)\n```\n(\n```json\n(?P<answer>.+?)\n```\n)?",
    re.MULTILINE | re.DOTALL,
)
PROGRAM = re.compile(r"^```python\n(?P<code>.+?)^```$", re.MULTILINE | re.DOTALL)
# What an MCP client is given, with variables of the environment in it; and a program that does what such a client would.
SERVERS = re.compile(r'^```json\n(?P<block>\{\n  "mcpServers": .+?)^```$', re.MULTILINE | re.DOTALL)
CONNECT = """
import asyncio, json, os, sys
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main(url, headers):
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client(url, http_client=http)) as server:
            assert (await server.list_tools()).tools

(server,) = json.loads(os.path.expandvars(sys.argv[1]))["mcpServers"].values()
asyncio.run(main(server["url"], server.get("headers", {})))
"""
CLIENT = re.compile(r"^uv run python (?P<options>-m examples\.\w+)$", re.MULTILINE)
LEAST_TESTS = 8
SECRETS = {
    "API_TOKENS": "ann:" + secrets.token_hex(32),
    "LOGIN_USERS": "ann:" + secrets.token_hex(16),
    "DJANGO_SECRET_KEY": secrets.token_hex(32),
}
CALLER = {
    "TOKEN": SECRETS["API_TOKENS"].partition(":")[2],
    "LOGIN_USERS": SECRETS["LOGIN_USERS"],
    "MODAL_KEY": "wk-unused-here",
    "MODAL_SECRET": "ws-unused-here",
}


@dataclass(frozen=True)
class Project:
    folder: Path

    def install(self) -> None:
        """`uv sync`, in a repository of its own."""
        self.git("init", "--quiet")
        self.uv("sync", "--quiet")
        locks.keep(self.folder)
        compiled.share(self.folder / ".venv")

    def git(self, *command: str) -> None:
        subprocess.run(["git", *command], cwd=self.folder, check=True)

    def uv(self, *command: str) -> str:
        """What `uv …` prints in the project; a failure fails the test with all of it."""
        run = subprocess.run(
            ["uv", *command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        printed = run.stdout + run.stderr
        assert run.returncode == 0, f"uv {' '.join(command)}:\n{printed}"
        return printed

    def served(self, *options: str) -> AbstractContextManager[tuple[str, subprocess.Popen[str]]]:
        """Serve it as README says; yield the URL that it prints, and uv's process."""
        command = ["uv", "run", family.NAME, "--port", str(free_port()), *options]
        return local_server(command, self.folder, {**os.environ, **SECRETS})


@contextmanager
def local_server(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a project's local server in a session of its own; yield the URL that it prints, and its process."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pipesize=2**20,  # bytes that it may print: it would wait for a reader
        start_new_session=True,
    ) as process:
        try:
            yield first_url(process), process
        finally:
            for left in family_tree(process.pid):
                left.kill()


def check_suite(project: Project) -> None:
    """Its own linter, formatter, type checker and tests pass."""
    project.uv("run", "ruff", "check")
    project.uv("run", "ruff", "format", "--check")
    with alone(family.MYPY.with_suffix(".lock")):
        project.uv("run", "mypy")
    tests = project.uv("run", "pytest", "--color=no")
    passed = re.search(r"(\d+) passed", tests)
    assert int(passed[1] if passed else 0) >= LEAST_TESTS, f"too few tests:\n{tests}"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of this name, which one process of this machine has at a time."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_import(project: Project) -> None:
    """What is deployed imports without a word."""
    printed = project.uv("run", "python", "-W", "error", "-c", f"import {family.NAME}.modal_app")
    assert printed == "", printed


def check_calls(project: Project) -> None:
    """Every request in README is answered as README says, and where it takes a token, only with one."""
    with project.served() as (url, _):
        check_documented(project.folder, {**CALLER, "URL": url}, ["uv", "run", "python"])
    if f"uv run {family.NAME} openapi" in (project.folder / "README.md").read_text():
        check_document(project)


def check_documented(
    folder: Path, caller: Mapping[str, str], python: Sequence[str], exact: bool = True
) -> int:
    """The same for whatever serves it.

    Args:
        folder: the project.
        caller: variables that README has its reader set: URL, and the caller's credentials.
        python: the command of an interpreter that has the clients which README uses.
        exact: whether answers are the documented ones to the letter; else their keys are.

    Returns:
        How many requests and programs README holds.
    """
    readme = (folder / "README.md").read_text()
    calls = list(CALL.finditer(readme))
    assert calls, "README documents no call"
    environment = {**os.environ, **caller}
    for call in calls:
        status, body = send(call["command"], environment)
        documented = re.search(r"\((\d{3})\)$", call["what"])
        promised = int(documented[1] if documented else 200)
        assert status == promised, f"{call['command']}: {status}, not {promised}\n{body}"
        if call["answer"]:
            given, expected = json.loads(body), json.loads(call["answer"])
            if not exact:
                given, expected = given.keys(), expected.keys()
            assert is_as(given, expected), f"{call['command']}\n{body}"
        if promised == 202:  # README has its reader set this
            environment["JOB"] = json.loads(body)["id"]
        if "Authorization: Bearer" in call["command"]:
            for token in ("wrong", ""):
                status, body = send(call["command"], environment | {"TOKEN": token})
                assert status == 401, f"open to strangers: {call['command']}\n{body}"
    programs = [["-c", program["code"]] for program in PROGRAM.finditer(readme)]
    clients = [client["options"].split() for client in CLIENT.finditer(readme)]
    assert bool(clients) == (folder / "examples/client.py").exists(), "README runs no client"
    blocks = [["-c", CONNECT, servers["block"]] for servers in SERVERS.finditer(readme)]
    for program in programs + clients + blocks:
        run = subprocess.run(
            [*python, *program],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert run.returncode == 0, f"{program[-1]}\n{run.stdout}{run.stderr}"
    return len(calls) + len(programs) + len(clients) + len(blocks)


def is_as(given: object, expected: object) -> bool:
    """Whether an answer is the documented one, where `...` stands for what differs from time to time."""
    if isinstance(given, dict) and isinstance(expected, dict):
        same = given.keys() == expected.keys()
        return same and all(is_as(given[key], value) for key, value in expected.items())
    return expected == "..." or given == expected


def check_end(
    project: Project, number: signal.Signals, times: int = 1, options: Sequence[str] = ()
) -> None:
    """A signal, or many in quick succession, ends it soon, in silence, and with all that it started."""
    with project.served(*options) as (url, process):
        with contextlib.suppress(urllib.error.HTTPError):  # any answer will do
            urllib.request.urlopen(url, timeout=20).close()  # noqa: S310
        processes = family_tree(process.pid)
        kill = os.killpg if number == signal.SIGINT else os.kill  # a terminal sends it to all
        for _ in range(times):
            kill(process.pid, number)
            time.sleep(0.01)
        _, left = psutil.wait_procs(processes, timeout=20)
        for each in left:  # they have no parent any more by which to find them
            each.kill()
        assert not left, f"still there 20 seconds after {number.name}: {left}"
        assert process.stdout
        printed = process.stdout.read()
        assert "Traceback" not in printed, printed


def check_document(project: Project) -> None:
    """The OpenAPI document holds the path and the method of each request in README, and each answer that it promises."""
    command = ["uv", "run", "--quiet", family.NAME, "openapi"]
    document = json.loads(subprocess.check_output(command, cwd=project.folder))
    calls = list(CALL.finditer((project.folder / "README.md").read_text()))
    assert calls, "README documents no call"
    for call in calls:
        path, method = (
            re.findall(r"\$URL([^'\"?]+)", call["command"])[0],
            method_of(call["command"]),
        )
        found = [
            operations[method]["responses"]
            for pattern, operations in document["paths"].items()
            if method in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)
        ]
        assert found, f"the document has no {method} {path}"
        documented = re.search(r"\((\d{3})\)$", call["what"])
        status = documented[1] if documented else "200"
        assert status in found[0], f"the document has no {status} for {method} {path}"


def method_of(command: str) -> str:
    named = re.search(r" -X (\w+) ", command)
    return named[1].lower() if named else "post" if " -d " in command else "get"


def check_own(project: Project, file: str) -> None:
    """This file of its own tests passes, and leaves nothing behind even where it fails."""
    try:
        project.uv("run", "pytest", "--color=no", file)
    finally:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(project.folder):
                    process.kill()


def check_taken_port(project: Project) -> None:
    """A port that is taken is one line and exit code 1."""
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
    assert run.returncode == 1, f"exit code {run.returncode}"
    assert len(run.stderr.splitlines()) == 1, f"not one line:\n{run.stderr}"
    assert "cannot listen" in run.stderr


def send(command: str, environment: dict[str, str]) -> tuple[int, str]:
    """Give a documented curl command to a shell; return the status and the body."""
    run = subprocess.run(
        ["bash", "-c", command + r" -w '\n%{http_code}'"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    body, _, status = run.stdout.rpartition("\n")
    assert run.returncode == 0, f"{command}: {run.stderr or run.stdout}"
    return int(status), body


def first_url(process: subprocess.Popen[str]) -> str:
    """The URL in the line by which a project says that it serves."""
    printed = ""
    for line in process.stdout or ():
        printed += line
        if line.startswith(f"{family.NAME}: ") and (url := re.search(r"http://[\d.:]+", line)):
            return url[0]
    raise AssertionError(f"it never said where it serves:\n{printed}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def family_tree(pid: int) -> list[psutil.Process]:
    """The process of this id and all below it; none if it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
