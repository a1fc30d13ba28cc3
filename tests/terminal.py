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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PATIENCE = 120.0  # seconds for a program's next word
QUIET = 0.15  # seconds without a word, after which it may wait for one
SIZE = 60, 400  # lines and columns: no question is folded
ASKS = "🎤"  # before each of Copier's questions
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])|[\r\x07]")
DOWN, ENTER, ERASE, INTERRUPT = "\x1b[B", "\r", "\x15", "\x03"


class Terminal:
    """A command that asks."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process, self._descriptor = process, descriptor
        self._raw = bytearray()
        self._asked = ""  # what was shown last when it last waited

    @property
    def printed(self) -> str:
        """All that it printed, without escape sequences."""
        return ESCAPES.sub("", self._raw.decode(errors="replace"))

    def settle(self) -> bool:
        """Read until it waits for the answer to another question, or has ended; return whether it waits."""
        return self._read(self._is_new)

    def expect(self, text: str) -> None:
        """Read until it has said that."""
        assert self._read(lambda: text in self.printed), self.printed[-3000:]

    def _is_new(self) -> bool:
        question = self._question()
        # What follows an answer may stand on its line.
        return bool(question) and not (self._asked and question.startswith(self._asked))

    def _question(self) -> str:
        """The last that was shown, which is one that waits unless it was shown before, and is answered by now."""
        return self.printed.rpartition(ASKS)[2].partition("\n")[0] if ASKS in self.printed else ""

    def _read(self, enough: Callable[[], bool]) -> bool:
        """Read until that holds and nothing follows for a moment; false where it ends before."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if select.select([self._descriptor], [], [], QUIET)[0]:
                try:
                    self._raw += os.read(self._descriptor, 65536)
                except OSError:  # the other end is closed
                    self.process.wait(PATIENCE)
                    return False
            elif enough():
                self._asked = self._question()
                return True
            elif self.process.poll() is not None:
                return False
        raise AssertionError(f"it says nothing more:\n{self.printed[-3000:]}")

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())


@contextlib.contextmanager
def terminal(command: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a command of a shell; it is ended with the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        # Nobody answers here where the cursor stands.
        env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
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
