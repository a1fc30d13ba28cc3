"""A server that does what it is told, and mostly dies of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = sys.argv[1]
DAEMON = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {DAEMON}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        if MODE == "prints":
            print("y" * 200, flush=True)


def later(seconds: float, then: object, *arguments: object) -> None:
    threading.Timer(seconds, then, arguments).start()  # type: ignore[arg-type]


def load() -> None:
    """Requests to itself, without pause."""
    import urllib.request

    while True:
        urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}/").read()


def chatter() -> None:
    time.sleep(1)  # for the line that says where it serves
    while True:
        print("x" * 200)


if MODE == "dies at once":
    sys.exit(3)
if MODE == "is killed at once":
    os.kill(os.getpid(), signal.SIGKILL)
if MODE == "hangs at its start":
    time.sleep(600)

server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
if "under load" in MODE:
    for _ in range(4):
        threading.Thread(target=load, daemon=True).start()
if MODE == "dies under load":
    later(1, os._exit, 7)
if MODE == "is killed under load":
    later(1, os.kill, os.getpid(), signal.SIGKILL)
if MODE == "closes its port":
    later(1, server.socket.close)
    later(1, threading.Event().wait)
    later(0.9, server.shutdown)
if MODE in ("leaves a daemon", "leaves a deaf one"):
    program = DEAF if "deaf" in MODE else DAEMON
    # One in the group, one in a session of its own, one whose parent is gone.
    subprocess.Popen([sys.executable, "-c", program])
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    twice = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {program!r}])"
    subprocess.run([sys.executable, "-c", twice], check=True, start_new_session=True)
    later(1, os._exit, 7)
if MODE == "has a daemon":
    subprocess.Popen([sys.executable, "-c", DAEMON], start_new_session=True)
if MODE == "is deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if MODE == "prints":
    threading.Thread(target=chatter, daemon=True).start()
server.serve_forever()
threading.Event().wait()
