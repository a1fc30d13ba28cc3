"""The server process: started, awaited, watched, and ended with all that it started. Knows nothing of Modal."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0  # from SIGTERM to SIGKILL; Modal gives exit handlers 30
log = logging.getLogger(__name__)


class ServerError(RuntimeError):
    """The server did not start, or ended by itself."""


class Process:
    """A server in a session of its own: a signal to its group reaches what it started, and nothing else."""

    def __init__(self, command: Sequence[str], host: str, port: int) -> None:
        """Start it.

        Raises:
            ServerError: when there is no such command.
        """
        self.address = ("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104 (compared)
        self._stopping = False
        try:
            self._child = subprocess.Popen(  # noqa: S603 (the project's own command, no shell)
                command,
                env=environment(host, port),
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
            listening = self._is_listening()
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

    def watch(self) -> None:
        """End this Python process, with an error, as soon as the server ends by itself.

        A container whose server is gone would go on taking requests, and answer none.
        """
        threading.Thread(target=self._follow, name="watch", daemon=True).start()

    def stop(self) -> None:
        """End the server and all that it started, by force where SIGTERM is not heeded."""
        self._stopping = True
        deadline = time.monotonic() + GRACE_SECONDS
        self._signal_group(signal.SIGTERM)
        while self._signal_group(0) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._signal_group(signal.SIGKILL)
        self._child.wait()

    def _is_listening(self) -> bool:
        try:
            socket.create_connection(self.address, timeout=1).close()
        except OSError:
            return False
        return True

    def _signal_group(self, number: int) -> bool:
        """Send a signal, 0 for none; False when nobody is left to get it."""
        self._child.poll()  # a dead child counts as a member until it is reaped
        try:
            os.killpg(self._child.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of what is dying
            return False
        return True

    def _follow(self) -> None:
        code = self._child.wait()
        if self._stopping:
            return
        log.error("the server %s", how_it_ended(code), extra={"exit_code": code})
        self.stop()
        sys.stdout.flush()
        # sys.exit() would end this thread alone. SIGINT to the main thread would end the container in
        # good order, with exit code 0: silence. Only this is a crash, which Modal reports and replaces.
        os._exit(1)


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
