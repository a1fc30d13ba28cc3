"""What a fault is made of: projects that are broken on purpose, requests to them, and what their log says."""

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import family
from harden.report import Options, Row
from harden.service import Service, edit, render

BROKEN = Path(__file__).with_name("broken")
PACKAGE = Path("src", family.NAME)
COUNTER = itertools.count()
RENDERING = threading.Lock()


@dataclass(frozen=True)
class Change:
    """One text in one file of a project, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass
class Trial:
    """One fault, tried in one way after another.

    Attributes:
        options: of the run.
        changes: what is broken in each project beside the fault itself, to see whether anybody notices.
        only: styles to try it on; all of the fault's where there are none.
        cases: names of the ways, each once.
        failures: a sentence for each that went wrong.
    """

    options: Options
    changes: Sequence[Change] = ()
    only: Sequence[str] = ()
    cases: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def styles(self, *names: str, quick: int | None = None) -> list[str]:
        """Those of a fault; the slice takes only the first ones, so many."""
        if self.only:
            return [name for name in names if name in self.only]
        return list(names if self.options.full else names[:quick])

    @contextlib.contextmanager
    def case(self, name: str) -> Iterator[None]:
        """One way to try it; an exception is what is wrong, and does not end the others."""
        assert name not in self.cases, f"{name} is tried twice"
        self.cases.add(name)
        try:
            yield
        except Exception as error:  # noqa: BLE001 (whatever it is, it went wrong)
            self.failures.append(f"{name}: {type(error).__name__}: {error}"[:1500])

    def project(self, kind: str, files: Mapping[str, str] | None = None, **answers: object) -> Path:
        """A project of its own, with other files in its package.

        Args:
            kind: its style, or its server app.
            files: which of the folder of broken ones stands in the place of each.
            answers: beside the style.
        """
        answers = {**family.choices()[kind], **answers}
        name = "-".join(["faults", *map(str, answers.values())])
        with RENDERING:
            original = render(self.options, name, **answers)
        project = self.options.folder / f"{name}.{next(COUNTER)}" / family.NAME
        shutil.copytree(original, project)
        for file, content in (files or {}).items():
            shutil.copy(BROKEN / content, project / PACKAGE / file)
        for change in self.changes:
            edit(project / PACKAGE / change.file, change.old, change.new, once=False)
        return project


@dataclass(frozen=True)
class Fault:
    """A way to break things.

    Attributes:
        name: in the table.
        least: with fewer cases it proves nothing.
        quick: the same in the slice; 0 where it is not in it.
        try_: tries all cases, and returns what was seen, in a few words.
    """

    name: str
    least: int
    quick: int
    try_: Callable[[Trial], str]

    def row(self, trial: Trial) -> Row:
        outcome = "it was not tried to the end"
        least = self.least if trial.options.full else self.quick
        started = time.monotonic()
        try:
            outcome = self.try_(trial)
        except Exception as error:  # noqa: BLE001 (the same)
            trial.failures.append(f"{type(error).__name__}: {error}"[:1500])
        if trial.failures:
            outcome = f"wanted: {outcome}"
        outcome = f"{outcome} ({time.monotonic() - started:.0f} s)"
        return Row("faults", self.name, len(trial.cases), least, tuple(trial.failures), outcome)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body[:200]!r} after {self.seconds:.1f} s"


def ask(
    service: Service,
    path: str,
    body: object = None,
    *,
    method: str = "",
    timeout: float = 30,
    **headers: str,
) -> Answer:
    """GET, or POST of a body as JSON, unless the method is another."""
    started = time.monotonic()
    connection = HTTPConnection("127.0.0.1", service.port, timeout=timeout)
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            connection.request(method or "GET", path, headers={**service.headers, **named})
        else:
            sent = {"Content-Type": "application/json", **service.headers, **named}
            connection.request(method or "POST", path, json.dumps(body), sent)
        got = connection.getresponse()
        content = got.read()
    answered = {name.lower(): value for name, value in got.getheaders()}
    return Answer(got.status, answered, content, time.monotonic() - started)


@contextlib.contextmanager
def opened(service: Service, path: str, body: object = None) -> Iterator[socket.socket]:
    """A connection on which a request was sent, and nothing was read yet."""
    content = b"" if body is None else json.dumps(body).encode()
    head = [
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Content-Length: {len(content)}",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in service.headers.items()),
    ]
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + content)
        yield connection


def lines(service: Service) -> list[dict[str, Any]]:
    """The log as far as it is JSON."""
    found = []
    for line in service.log.read_text(errors="replace").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            if isinstance(entry := json.loads(line), dict):
                found.append(entry)
    return found


def wait_for(what: str, true: Callable[[], object], seconds: float = 10) -> None:
    """Wait until that is so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds:g} seconds: {what}"
        time.sleep(0.05)


def finished(
    command: Sequence[str], project: Path, environment: Mapping[str, str], seconds: float = 60
) -> tuple[int, str]:
    """Run it in a project; return the exit code and all that was printed."""
    run = subprocess.run(
        command,
        cwd=project,
        env={**environment, "PYTHONPATH": str(project / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds,
    )
    return run.returncode, run.stdout
