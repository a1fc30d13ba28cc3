"""`--reload`: the local server follows changes, survives what is broken for a while, and ends with all that it started."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

import myapi
from myapi import reload

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it refuses to start there")
PACKAGE = Path(myapi.__file__).parent
PROGRAM = "from myapi.serve import main; main()"
# In the place of your server one that is small and quick, so that this holds whatever yours does.
FILE = "local.py"
SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"one")

def command(host, port):
    return [sys.executable, __file__]

if __name__ == "__main__":
    HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""

# Of another length: within a second Python takes what is as long for the same.
OTHER = SERVER.replace('"one"', '"another"')


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 10 seconds"
        time.sleep(0.05)


def test_it_follows_changes_and_survives_errors(tmp_path: Path) -> None:
    copy, log = tmp_path / "src" / PACKAGE.name, tmp_path / "log"
    shutil.copytree(PACKAGE, copy)

    def save(source: str) -> None:
        (tmp_path / "new").write_text(source)
        (tmp_path / "new").replace(copy / FILE)  # at once, as an editor does

    save(SERVER)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--reload", "--port", "0"],
            env=os.environ | {"PYTHONPATH": str(copy.parent), "PYTHONUNBUFFERED": ""},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def said() -> list[str]:
        """The lines with the URL, and with the token where there is one."""
        return [line for line in log.read_text().splitlines() if "http://" in line]

    def is_up() -> bool:
        return log.read_text().endswith("\n") and bool(said())

    try:
        wait_for(is_up)
        before = said()
        port = int(before[0].partition("http://127.0.0.1:")[2].partition(",")[0])
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"one"
        connection.close()

        save(SERVER + "a b")
        wait_for(lambda: "SyntaxError" in log.read_text())
        save(OTHER)
        wait_for(lambda: len(said()) == 2 * len(before))
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"another"
        connection.close()
        wait_for(lambda: len(said()) == 2 * len(before))
        assert said() == before * 2, "another port, or another token"

        save(SERVER + "import time; print('slow', flush=True); time.sleep(1)")
        wait_for(lambda: "slow" in log.read_text())
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
        code = process.wait(20)
    assert code == 0
    assert "Traceback" not in log.read_text().rpartition("starting anew")[2]
    with pytest.raises(ConnectionRefusedError):  # nothing of it is left
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_server_that_does_not_heed_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "GRACE_SECONDS", 0.1)
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as server:
        assert server.stdout
        server.stdout.readline()
        try:
            reload.end(server)
        finally:
            server.kill()
    assert server.returncode == -signal.SIGKILL


def test_what_counts_as_a_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reload, "SOURCES", tmp_path)
    for name in ("package/page.html", "package/.page.html.swp", "package/__pycache__/web.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(reload.sources()) == ["package/page.html"]
