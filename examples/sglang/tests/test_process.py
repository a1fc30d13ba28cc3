"""The process: how it starts, crashes and ends. What it started is never left behind.

A program is run with its output in pipes, which close when the last process that holds them is gone.
"""

import subprocess
import sys
from urllib.request import urlopen

import pytest

from myapi import process
from myapi.process import Process, ServerError

LAUNCH = """
import sys, time
from myapi import logs, process
logs.configure()
server = process.Process(sys.argv[2:], "127.0.0.1", int(sys.argv[1]))
server.wait_until_ready(10)
print("ready", flush=True)
"""

LISTEN = """
import os, socket, time
listener = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])))
"""


def launch(then: str, port: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LAUNCH + then, str(port), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_it_starts_and_ends_with_all_that_it_started(port: int, server: list[str]) -> None:
    run = launch("server.stop()", port, server)
    assert (run.returncode, run.stdout) == (0, "ready\n"), run.stderr


def test_what_does_not_heed_sigterm_is_killed(port: int, server: list[str]) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + server[-1]
    run = launch("process.GRACE_SECONDS = 0.5; server.stop()", port, [*server[:-1], deaf])
    assert (run.returncode, run.stdout) == (0, "ready\n"), run.stderr


def test_a_crash_ends_the_container_with_an_error(port: int, server: list[str]) -> None:
    crash = "import os, threading\nthreading.Timer(1, os._exit, [7]).start()\n" + server[-1]
    run = launch("server.watch(); time.sleep(20)", port, [*server[:-1], crash])
    assert run.returncode == 1
    assert '"message": "the server exited with code 7"' in run.stdout
    assert '"exit_code": 7' in run.stdout


def test_a_port_that_is_closed_for_good_ends_the_container_with_an_error(port: int) -> None:
    closes = LISTEN + "time.sleep(1); listener.close(); time.sleep(300)"
    soon = "process.LOOK_SECONDS = 0.1; server.watch(); time.sleep(20)"
    run = launch(soon, port, [sys.executable, "-c", closes])
    assert run.returncode == 1, run.stderr
    assert f'"message": "the server has closed port {port} and lives on"' in run.stdout


def test_a_port_that_is_closed_for_a_moment_is_none_that_is_closed(port: int) -> None:
    moment = "time.sleep(1); listener.close(); time.sleep(0.5)\n"
    again = f"{LISTEN}{moment}{LISTEN}time.sleep(300)"
    later = "process.LOOK_SECONDS = 0.4; server.watch(); time.sleep(4); server.stop()"
    run = launch(later, port, [sys.executable, "-c", again])
    assert (run.returncode, run.stdout) == (0, "ready\n"), run.stderr


def test_a_server_that_is_slow_to_take_connections_is_left_alone(port: int) -> None:
    slow = LISTEN + "listener.listen(0); time.sleep(300)"
    soon = "process.LOOK_SECONDS = 0; server.watch(); time.sleep(6); server.stop()"
    run = launch(soon, port, [sys.executable, "-c", slow])
    assert (run.returncode, run.stdout) == (0, "ready\n"), run.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a process is")
def test_a_daemon_that_it_started_is_not_left_behind(port: int, server: list[str]) -> None:
    daemon = server[-1].replace('300)"]', '300)"], start_new_session=True')
    for then in ("server.stop()", "server._child.kill(); server.stop()"):
        run = launch(then, port, [*server[:-1], daemon])
        assert (run.returncode, run.stdout) == (0, "ready\n"), run.stderr


def test_an_end_that_was_asked_for_is_no_crash(port: int, server: list[str]) -> None:
    run = launch("server.watch(); server.stop(); time.sleep(0.5); print('done')", port, server)
    assert (run.returncode, run.stdout) == (0, "ready\ndone\n"), run.stderr


def test_a_crash_at_the_start_is_told_at_once(port: int) -> None:
    for code, reason in (
        ("raise SystemExit(3)", "exited with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ):
        child = Process([sys.executable, "-c", code], "127.0.0.1", port)
        with pytest.raises(ServerError, match=reason):
            child.wait_until_ready(60)
        child.stop()


def test_a_command_that_is_not_there(port: int) -> None:
    with pytest.raises(ServerError, match="cannot start no-such-program: No such file"):
        Process(["no-such-program"], "127.0.0.1", port)


def test_a_server_that_never_listens(port: int) -> None:
    child = Process([sys.executable, "-c", "import time; time.sleep(300)"], "127.0.0.1", port)
    try:
        with pytest.raises(ServerError, match=f"does not listen on port {port} after 0.3 seconds"):
            child.wait_until_ready(0.3)
    finally:
        child.stop()


def test_the_port_of_somebody_else_is_not_taken_for_ours(port: int, server: list[str]) -> None:
    other = Process(server, "127.0.0.1", port)
    try:
        other.wait_until_ready(10)
        late = Process([sys.executable, "-c", "raise SystemExit(4)"], "127.0.0.1", port)
        late._child.wait()
        with pytest.raises(ServerError, match="code 4"):
            late.wait_until_ready(10)
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert answer.status == 200
    finally:
        other.stop()


def test_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "kept")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = process.environment("0.0.0.0", 8000)  # noqa: S104 (compared)
    assert (found["HOST"], found["PORT"], found["OWN"]) == ("0.0.0.0", "8000", "kept")  # noqa: S104 (compared)
    show = "import sys, myapi; print(sys.executable)"
    run = subprocess.run(
        ["python", "-c", show], env=found, cwd="/", capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == sys.executable
