"""Processes that are pinned, put to sleep, woken and ended, each with all that it started."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 180


class Process:
    """A Python process with a group of its own.

    Args:
        arguments: what Python gets.
        core: that it may run on, or None for all.
        log: the file for what it says, standard output too unless `talks`.
        talks: whether lines go in and out of it.
    """

    def __init__(
        self,
        *arguments: str,
        core: int | None,
        environment: Mapping[str, str],
        log: Path,
        talks: bool = False,
    ) -> None:
        self.log = log
        with log.open("a") as out, pinned(core):
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def sleep(self) -> None:
        os.killpg(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.wake()
            os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def cpu_seconds(self) -> float:
        """Taken so far, by all of its processes that live."""
        own = psutil.Process(self.process.pid)
        times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def ask(self, question: object) -> Any:
        """Send a line of JSON and wait for one."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.read_line())

    def read_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended: {self.last_words()}")
        return line

    def wait_for(self, url: str) -> None:
        """Wait until that is answered with success."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=60):  # noqa: S310
                return
            time.sleep(0.2)
        raise RuntimeError(f"nobody answers at {url}: {self.last_words()}")

    def last_words(self) -> str:
        return self.log.read_text()[-2_000:]


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run this thread on one core for a while, and for good what it starts."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310
        return json.load(response)


def busy_seconds(core: int) -> float:
    """What a core has worked so far, for whomever."""
    times = psutil.cpu_times(percpu=True)[core]
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def cores() -> tuple[int, int] | None:
    """One core for the server and one for the load, where there are two and processes can be pinned."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else None
