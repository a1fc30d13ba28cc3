"""What the machine does: a full disk under the log, no file descriptors left, a clock that goes back."""

import contextlib
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

import family
from harden.faults_http import socket as open_socket
from harden.faults_kit import BROKEN, Fault, Trial, ask, lines, wait_for
from harden.service import PROGRAM, Service, served

# Only from the moment on when it serves: to say where is what the local server prints the URL for.
FULL_DISK = f"""
import os, uvicorn
run = uvicorn.Server.run
def run_without_a_disk(self, sockets=None):
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.dup2(full, 2)
    run(self, sockets)
uvicorn.Server.run = run_without_a_disk
{PROGRAM}
"""


def full_disk(trial: Trial) -> str:
    """Nothing can be logged, because the disk is full. Requests are answered all the same, also those that fail."""
    for style in trial.styles("api", "flask", "django", "inference", quick=1):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project, command=[sys.executable, "-c", FULL_DISK]) as service:
            with trial.case(f"{style} answers"):
                statuses = [ask(service, "/ok").status for _ in range(20)]
                assert statuses == [200] * 20, statuses
            with trial.case(f"{style} fails"):
                answer = ask(service, "/raise")
                assert (answer.status, answer.json()) == (
                    500,
                    {"detail": "Internal server error"},
                ), answer
            with trial.case(f"{style} logged nothing"):
                assert not lines(service), "the disk was not full"
    return "answered as ever; no log, since there is no room for it"


def no_descriptors(trial: Trial) -> str:
    """More connections than file descriptors. The log says so, and all is well once they close.

    The proxy before a command takes no core meanwhile. asyncio's own server may: each second it tries as often as its queue is long.
    """
    for style in trial.styles("api", "flask", "command"):
        files = {} if style == "command" else {"handlers.py": f"{style}.py"}
        path = "/" if style == "command" else "/ok"
        program = f"import sys; sys.modules['uvloop'] = None; {PROGRAM}"  # no project depends on it
        limited = ["bash", "-c", 'ulimit -n 64; exec "$@"', "bash", sys.executable, "-c", program]
        with served(trial.project(style, files), command=limited) as service:
            server = psutil.Process(service.process.pid)
            tree = [server, *server.children(recursive=True)]
            with contextlib.ExitStack() as stack:
                for _ in range(100):
                    with contextlib.suppress(TimeoutError):  # its queue is full as well
                        address = ("127.0.0.1", service.port)
                        stack.enter_context(socket.create_connection(address, timeout=0.2))
                time.sleep(1)
                if style == "command":
                    with trial.case(f"{style} takes it easy"):
                        before = sum(sum(each.cpu_times()[:2]) for each in tree)
                        time.sleep(2)
                        used = sum(sum(each.cpu_times()[:2]) for each in tree) - before
                        assert used < 0.3, f"{used:.1f} of 2 seconds of a core, for nothing"
            with trial.case(f"{style} recovers"):
                assert service.process.poll() is None, "it ended"
                wait_for("an answer", partial(answers, service, path), 20)
                statuses = [ask(service, path).status for _ in range(20)]
                assert statuses == [200] * 20, statuses
            with trial.case(f"{style} says so"):
                text = service.log.read_text()
                assert "Too many open files" in text or "out of system resource" in text, (
                    f"the log does not tell: {text[-500:]!r}"
                )
    return "connections wait or are closed, then it answers as before; log: too many open files"


def answers(service: Service, path: str) -> bool:
    with contextlib.suppress(OSError):
        return ask(service, path, timeout=3).status == 200
    return False


def clock(trial: Trial) -> str:
    """The clock goes back by ten seconds at each look. Durations in the log stay true, limits and timers work."""
    for style in trial.styles("api", "flask", "django", quick=2):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        path = backwards(project)
        with served(project, PYTHONPATH=path) as service, trial.case(f"{style} logs durations"):
            for seconds in ("0.3", "0"):
                assert ask(service, f"/slow?seconds={seconds}").status == 200
            wait_for("two lines", partial(logged, service, 2))
            first, second = requests(service)
            assert 290 < first["milliseconds"] < 2000, first
            assert 0 <= second["milliseconds"] < 290, second
            assert first["time"] > second["time"], "the clock did not go back"
    for style in trial.styles("websocket"):
        project = trial.project(style, {"handlers.py": "websocket.py"})
        settings = {
            "IDLE_SECONDS": "2",
            "PING_SECONDS": "1",
            "MESSAGES_PER_SECOND": "10",
            "MESSAGE_BURST": "10",
        }
        with served(project, PYTHONPATH=backwards(project), **settings) as service:
            with (
                trial.case("websocket is pinged and goes idle"),
                open_socket(service) as connection,
            ):
                started = time.monotonic()
                assert connection.recv(timeout=5) == '{"type":"ping"}'
                assert ended(connection) == 1000
                assert 1.8 < time.monotonic() - started < 4, time.monotonic() - started
            with trial.case("websocket keeps to its rate"), open_socket(service) as connection:
                for number in range(20):
                    connection.send(str(number))
                assert ended(connection) == 1008
            with trial.case("websocket allows its rate"), open_socket(service) as connection:
                for number in range(20):
                    connection.send(str(number))
                    assert connection.recv(timeout=5) == f"Echo: {number}"
                    time.sleep(0.12)
            with trial.case("websocket logs durations"):
                sockets = [line for line in lines(service) if line["message"] == "socket"]
                assert len(sockets) == 3, sockets
                assert all(0 <= line["seconds"] < 10 for line in sockets), sockets
    return "durations are true, idle sockets close after their time (1000), too many messages too (1008)"


def requests(service: Service) -> list[dict[str, Any]]:
    return [line for line in lines(service) if line["message"] == "request"]


def logged(service: Service, count: int) -> bool:
    return len(requests(service)) == count


def ended(connection: ClientConnection) -> int | None:
    """Read to the end; the code by which it closed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=8)
    return connection.close_code


def backwards(project: Path) -> str:
    """A path of imports whose first entry turns the clock back."""
    folder = project.parent / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text((BROKEN / "clock.py").read_text())
    assert (project / "src" / family.NAME).is_dir()
    return f"{folder}:{project / 'src'}"


FAULTS = (
    Fault("disk is full under the log", 12, 3, full_disk),
    Fault("no file descriptors left", 7, 0, no_descriptors),
    Fault("clock goes back", 7, 6, clock),
)
