"""A rendered project, served by its own local server from the environment of the proofs."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import family
from harden.report import Options
from projects import SECRETS

START_SECONDS = 60.0
PROGRAM = f"from {family.NAME}.serve import main; main()"
APP = (sys.executable, "src/app.py")


@dataclass(frozen=True)
class Service:
    """A project that is being served.

    Attributes:
        url: without a path.
        port: on loopback.
        process: the server; signals go to it.
        log: the file with all that it prints, access log and errors.
        headers: by which a caller proves who it is.
    """

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    headers: Mapping[str, str]


def render(options: Options, name: str, **answers: object) -> Path:
    """Render a project into a folder of that name, unless it is there already, and return its path."""
    folder = options.folder / name
    if not (folder / family.NAME).exists():
        folder.mkdir(parents=True, exist_ok=True)
        family.render(options.template, folder, answers)
    return folder / family.NAME


def edit(file: Path, old: str, new: str, *, once: bool = True) -> None:
    """Break a rendered file: put `new` in the place of `old`, which must stand there, once unless more are wanted."""
    text = file.read_text()
    count = text.count(old)
    assert count == 1 or (count and not once), f"{file.name} holds {count} times: {old!r}"
    file.write_text(text.replace(old, new))


def stand_in(options: Options, name: str, code: str, mutation: str) -> Path:
    """Write a server in the place of a project, this line of it broken; run it as APP, and return its folder."""
    project = options.folder / name / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "app.py").write_text(code.replace("MUTATION", mutation))
    return project


@contextlib.contextmanager
def served(project: Path, *, command: Sequence[str] = (), **environment: str) -> Iterator[Service]:
    """Serve a project on a free port until the block ends, then end it and all that it started.

    Args:
        project: its folder.
        command: what to run instead of its own local server; it gets `--port 0`.
        environment: variables beside the ones that every project gets.
    """
    log = project.parent / f"{time.time_ns()}.log"
    own = {**os.environ, **SECRETS, "PYTHONPATH": str(project / "src"), **environment}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*(command or (sys.executable, "-c", PROGRAM)), "--port", "0"],
            cwd=project,
            env=own,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = wait_for_url(process, log)
        token = SECRETS["API_TOKENS"].partition(":")[2]
        headers = {"Authorization": f"Bearer {token}"}
        yield Service(url, int(url.rpartition(":")[2]), process, log, headers)
    finally:
        end(process)


def wait_for_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL in the line by which a project says that it serves."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if said := re.search(
            rf"^{family.NAME}: .*?(http://[\d.]+:\d+)", log.read_text(), re.MULTILINE
        ):
            return said[1]
        time.sleep(0.05)
    raise AssertionError(f"it never said where it serves:\n{log.read_text()[-2000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server and its group, by force where it takes longer than ten seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
