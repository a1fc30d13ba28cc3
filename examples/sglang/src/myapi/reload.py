"""`--reload`: the local server, started anew whenever a file in src/ changes. Not used on Modal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCES = Path(__file__).parents[1]
LOOK_SECONDS = 0.25
GRACE_SECONDS = 30.0  # from SIGTERM to SIGKILL; a server ends what it has begun sooner


def follow(program: str, arguments: Sequence[str] = (), descriptors: Sequence[int] = ()) -> None:
    """Run a program, and anew after each change, until a signal comes. One that fails waits for the next change.

    It has a session of its own: Ctrl-C reaches it from here, as SIGTERM, and never as a traceback of its imports.

    Args:
        program: in Python. It alone imports what may change, and be wrong for a while.
        arguments: of its command line.
        descriptors: of files that stay open for it from one start to the next.
    """
    if sys.platform == "win32":
        sys.exit("--reload works on Linux and macOS only; WSL is Linux")
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: signals.append(number))
    while not signals:
        before = now = sources()
        server = subprocess.Popen(  # noqa: S603 (this project's own code)
            [sys.executable, "-P", "-c", program, *arguments],
            pass_fds=descriptors,
            start_new_session=True,
        )
        while not signals and now == before:
            time.sleep(LOOK_SECONDS)
            now = sources()
        if changed := sorted({path for path, _ in now.items() ^ before.items()}):
            print(f"{', '.join(changed)} changed: starting anew", flush=True)
        end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def sources() -> Mapping[str, int]:
    """When each file was written, without what Python and editors put beside them."""
    times = {}
    for folder, folders, files in os.walk(SOURCES):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        for path in (Path(folder, name) for name in files if not name.startswith(".")):
            if path.is_file():  # an editor may have renamed it meanwhile
                times[str(path.relative_to(SOURCES))] = path.stat().st_mtime_ns
    return times
