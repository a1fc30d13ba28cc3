"""The local server: what it prints, and how it ends."""

import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

SERVE = """
import sys
from myapi import local, serve
words, sys.argv = sys.argv[1:4], ["serve", *sys.argv[4:]]
local.command = lambda host, port: words
serve.main()
"""


def serve(server: list[str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", SERVE, *server, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(server: list[str], number: signal.Signals) -> None:
    process = serve(server, "--port", "0")
    assert process.stdout
    lines = iter(process.stdout)
    line = next(line for line in lines if " at http://" in line)
    with urlopen(f"http://{line.partition(' at http://')[2].strip()}", timeout=5) as answer:
        assert answer.status == 200
    process.send_signal(number)
    # Returns only when nobody holds the pipes any more: nothing is left behind.
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_a_signal_during_the_start(server: list[str]) -> None:
    slow = "print('starting', flush=True); import time; time.sleep(300)"
    process = serve([*server[:-1], slow], "--port", "0")
    assert process.stdout
    assert "starting\n" in iter(process.stdout.readline, "")
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_crash_is_one_line_and_an_error(server: list[str]) -> None:
    crash = "import os, threading\nthreading.Timer(1, os._exit, [7]).start()\n" + server[-1]
    process = serve([*server[:-1], crash], "--port", "0")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors == "myapi: the server exited with code 7\n"


def test_a_taken_port_is_one_line(server: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = serve(server, "--port", str(taken.getsockname()[1]))
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "cannot listen" in errors
    assert (output, errors.count("\n")) == ("", 1)
