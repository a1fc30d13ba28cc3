"""A server of one's own that dies, hangs, closes its port, prints without end, or leaves processes behind."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil

from harden.faults_kit import Fault, Trial, ask
from harden.service import end, served
from projects import SECRETS, free_port

# Its own command is the child; times are shortened from outside.
LOCAL = """
import sys
from myapi import command, process, serve
process.LOOK_SECONDS, process.GRACE_SECONDS = 0.2, 3
serve.STARTUP_SECONDS = 2
command.command = lambda host, port: [sys.executable, "-m", "myapi.child", {mode!r}]
serve.main()
"""
DEPLOYED = """
import sys
from myapi import modal_app, process
process.LOOK_SECONDS, process.GRACE_SECONDS = 0.2, 3
modal_app.PORT, modal_app.PORT_SECONDS = int(sys.argv[2]), 2
modal_app.command = lambda host, port: [sys.executable, "-m", "myapi.child", {mode!r}]
server = modal_app.Server()
try:
    server.web.local()
    import time
    time.sleep(600)
finally:
    if server.process:
        server.process.stop()
"""
# What the child does: what the log says of it.
DEATHS = {
    "dies at once": r"the server exited with code 3$",
    "is killed at once": r"the server was ended by SIGKILL$",
    "hangs at its start": r"the server does not listen on port \d+ after 2 seconds$",
    "dies under load": r"the server exited with code 7",
    "is killed under load": r"the server was ended by SIGKILL",
    "closes its port": r"the server has closed port \d+ and lives on",
    "leaves a daemon": r"the server exited with code 7",
    "leaves a deaf one": r"the server exited with code 7",
}
QUICK = ("dies at once", "closes its port", "leaves a daemon")


def deaths(trial: Trial) -> str:
    """The server dies, hangs or closes its port. One line says how, and all ends with it, daemons too."""
    for style in trial.styles("command"):
        project = trial.project(style, {"child.py": "child.py"})
        for place, program in (("locally", LOCAL), ("in a container", DEPLOYED)):
            for mode, said in DEATHS.items():
                if not trial.options.full and mode not in QUICK:
                    continue
                with trial.case(f"{mode} {place}"):
                    dies(project, program.format(mode=mode), said)
    return "exit code 1 and one line that says how, nothing is left behind"


def dies(project: Path, program: str, said: str) -> None:
    mark = f"{time.time_ns()}"
    log = project.parent / f"{mark}.log"
    with log.open("wb") as out:  # no pipe, which would wait for what is left behind too
        run = subprocess.Popen(
            [sys.executable, "-c", program, "--port", str(free_port())],
            cwd=project,
            env={**os.environ, **SECRETS, "PYTHONPATH": str(project / "src"), "FAULT": mark},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        run.wait(25)
    except subprocess.TimeoutExpired:
        raise AssertionError("it did not end within 25 seconds") from None
    finally:
        left = strays(mark)
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
        end(run)
    printed = log.read_text()
    assert run.returncode == 1, f"exit code {run.returncode}: {printed[-500:]}"
    found = [line for line in printed.splitlines() if re.search(said.rstrip("$"), line)]
    assert len(found) == 1, f"{len(found)} lines say {said}: {printed[-800:]}"
    assert not left, f"left behind: {left}"


def strays(mark: str) -> list[psutil.Process]:
    """Processes with this mark in their environment."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.environ().get("FAULT") == mark and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def prints(trial: Trial) -> str:
    """The server prints without end. It goes on answering, and nobody keeps what it printed in memory."""
    for style in trial.styles("command"):
        project = trial.project(style, {"child.py": "child.py"})
        program = LOCAL.format(mode="prints")
        with served(project, command=["bash", "-c", QUIETLY, "bash", program]) as service:
            shell = psutil.Process(service.process.pid)
            (parent,) = (each for each in shell.children() if "python" in each.name())
            time.sleep(1.5)
            before = parent.memory_info().rss
            with trial.case("it answers"):
                statuses = [ask(service, "/", timeout=5).status for _ in range(10)]
                assert statuses == [200] * 10, statuses
            time.sleep(2)
            with trial.case("nothing piles up"):
                grown = parent.memory_info().rss - before
                assert grown < 5_000_000, f"{grown / 1e6:.0f} MB more in two seconds"
            with trial.case("it ends"):
                parent.terminate()
                assert parent.wait(10) is not None or not parent.is_running()
    return "answered meanwhile, memory as before, ends when asked"


# The log keeps only what the local server says: the disk of the one who tries this is not the question.
QUIETLY = f'{sys.executable} -c "$1" "${{@:2}}" 2>&1 | grep --line-buffered myapi:'


def ends(trial: Trial) -> str:
    """The local server is asked to end while its server has daemons, or does not heed SIGTERM. Nothing is left."""
    for style in trial.styles("command"):
        project = trial.project(style, {"child.py": "child.py"})
        for mode in ("has a daemon", "is deaf"):
            mark = f"{time.time_ns()}"
            command = [sys.executable, "-c", LOCAL.format(mode=mode)]
            with served(project, command=command, FAULT=mark) as service:
                with trial.case(f"{mode} ends"):
                    assert len(strays(mark)) >= 2, "it started nothing"
                    service.process.terminate()
                    assert service.process.wait(10) == 0
                with trial.case(f"{mode} leaves nothing behind"):
                    left = strays(mark)
                    for each in left:
                        each.kill()
                    assert not left, f"left behind: {left}"
    return "exit code 0, and nothing is left behind"


FAULTS = (
    Fault("server of one's own dies, hangs or closes its port", 16, 6, deaths),
    Fault("server of one's own prints without end", 3, 3, prints),
    Fault("server of one's own is asked to end", 4, 4, ends),
)
