"""Copier in a terminal of its own, typed at as people do."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PATIENCE = 120.0  # seconds for a program's next word
QUIET = 0.15  # seconds without a word, after which it may wait for one
ASKS = "🎤"  # before each of Copier's questions
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])|[\r\x07]")
DOWN, ENTER, ERASE, INTERRUPT = "\x1b[B", "\r", "\x15", "\x03"


class Terminal:
    """A command that asks."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process, self._descriptor = process, descriptor
        self._raw = bytearray()

    @property
    def printed(self) -> str:
        """All that it printed, without escape sequences."""
        return ESCAPES.sub("", self._raw.decode(errors="replace"))

    def settle(self) -> bool:
        """Read until it waits for an answer, or has ended; return whether it waits."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if select.select([self._descriptor], [], [], QUIET)[0]:
                try:
                    self._raw += os.read(self._descriptor, 65536)
                except OSError:  # the other end is closed
                    self.process.wait(PATIENCE)
                    return False
            elif self.process.poll() is not None:
                return False
            elif (
                self.printed.count(ASKS) % 2
            ):  # each stands there twice: as it is asked, and answered
                return True
        raise AssertionError(f"it says nothing more:\n{self.printed[-3000:]}")

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())


@contextlib.contextmanager
def terminal(
    command: str, folder: Path, environment: Mapping[str, str], columns: int = 400
) -> Iterator[Terminal]:
    """Run a command of a shell; it is ended with the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env={**environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)
