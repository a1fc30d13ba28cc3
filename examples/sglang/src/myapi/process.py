"""The server process: started, awaited, watched, and ended with all that it started. Knows nothing of Modal."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0  # from SIGTERM to SIGKILL, twice at most; Modal gives exit handlers 30
# Looks at the port, and refusals in a row after which nobody is expected to listen there again. A server
# that loads its code anew closes its port for a moment.
LOOK_SECONDS = 5.0
REFUSALS = 4
# In the environment of all that a server starts, wherever it goes.
MARK = "SERVER_MARK"
log = logging.getLogger(__name__)


class ServerError(RuntimeError):
    """The server did not start, ended by itself, or listens no more."""


class Process:
    """A server in a session of its own: a signal to its group reaches what it started, and nothing else."""

    def __init__(self, command: Sequence[str], host: str, port: int) -> None:
        """Start it.

        Raises:
            ServerError: when there is no such command.
        """
        self.address = ("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104 (compared)
        self._stopping = False
        self._crashing = threading.Lock()
        self._mark = uuid.uuid4().hex
        try:
            self._child = subprocess.Popen(  # noqa: S603 (the project's own command, no shell)
                command,
                env=environment(host, port) | {MARK: self._mark},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerError(f"cannot start {command[0]}: {error.strerror}") from error

    def wait_until_ready(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Return when the port takes connections, or when `stop` says so.

        Raises:
            ServerError: as soon as the process ends, or when the time is over.
        """
        deadline = time.monotonic() + seconds
        while not stop():
            listening = self._knock() is None
            self.check()  # after it: somebody else may hold the port
            if listening:
                return
            if time.monotonic() > deadline:
                raise ServerError(
                    f"the server does not listen on port {self.address[1]} after {seconds:g} seconds"
                )
            time.sleep(0.05)

    def check(self) -> None:
        """Raise ServerError when the process has ended."""
        if (code := self._child.poll()) is not None:
            raise ServerError(f"the server {how_it_ended(code)}")

    def follow(self, stop: Callable[[], bool]) -> None:
        """Return when `stop` says so.

        Raises:
            ServerError: as soon as the process ends, or has closed its port for good. One that is only slow to
                take connections is left alone: its port does not refuse them.
        """
        refusals, look = 0, time.monotonic() + LOOK_SECONDS
        while not stop():
            self.check()
            if time.monotonic() > look:
                refused = isinstance(self._knock(), ConnectionRefusedError)
                refusals = refusals + 1 if refused else 0
                if refusals == REFUSALS:
                    raise ServerError(f"the server has closed port {self.address[1]} and lives on")
                look = time.monotonic() + LOOK_SECONDS
            time.sleep(0.1)

    def watch(self) -> None:
        """End this Python process, with an error, as soon as the server ends by itself or listens no more.

        A container whose server is gone would go on taking requests, and answer none.
        """
        for watch in (self._watch_process, self._watch_port):
            threading.Thread(target=watch, name="watch", daemon=True).start()

    def stop(self) -> None:
        """End the server and all that it started, by force where SIGTERM is not heeded."""
        self._stopping = True
        _end(self._signal_group)
        self._child.wait()
        _end(self._signal_strays)

    def _knock(self) -> OSError | None:
        """What is wrong with the port, if anything."""
        try:
            socket.create_connection(self.address, timeout=1).close()
        except OSError as error:
            return error
        return None

    def _signal_group(self, number: int) -> bool:
        """Send a signal, 0 for none; False when nobody is left to get it."""
        self._child.poll()  # a dead child counts as a member until it is reaped
        try:
            os.killpg(self._child.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of what is dying
            return False
        return True

    def _signal_strays(self, number: int) -> bool:
        """The same for what has left the group, as a daemon does."""
        strays = list(marked(self._mark))
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(strays)

    def _watch_process(self) -> None:
        """Wait, and do not only look now and then: Modal's client ends the container at the next request."""
        code = self._child.wait()
        self._crash(f"the server {how_it_ended(code)}")

    def _watch_port(self) -> None:
        try:
            self.follow(lambda: self._stopping or self._child.returncode is not None)
        except ServerError as error:
            self._crash(str(error))

    def _crash(self, message: str) -> None:
        """End this Python process, unless its end was asked for."""
        with self._crashing:
            if self._stopping:
                return
            log.error(message, extra={"exit_code": self._child.returncode})
            self.stop()
            sys.stdout.flush()
            # sys.exit() would end this thread alone. SIGINT to the main thread would end the container in
            # good order, with exit code 0: silence. Only this is a crash, which Modal reports and replaces.
            os._exit(1)


def marked(mark: str) -> Iterator[int]:
    """Processes that carry this mark. Only Linux tells, so elsewhere there are none."""
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it is gone, or somebody else's
            if f"{MARK}={mark}".encode() in file.read_bytes().split(b"\0"):
                yield int(file.parent.name)


def _end(signal_all: Callable[[int], bool]) -> None:
    """Ask processes to end, and end those that are left after a while."""
    deadline = time.monotonic() + GRACE_SECONDS
    signal_all(signal.SIGTERM)
    while signal_all(0) and time.monotonic() < deadline:
        time.sleep(0.05)
    signal_all(signal.SIGKILL)


def environment(host: str, port: int) -> dict[str, str]:
    """What the server finds in its environment: HOST, PORT, and this project's Python and package first."""
    scripts, sources = Path(sys.executable).parent, Path(__file__).parents[1]
    return os.environ | {
        "HOST": host,
        "PORT": str(port),
        "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(sources), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",  # its last words must not stay in a buffer
    }


def how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
