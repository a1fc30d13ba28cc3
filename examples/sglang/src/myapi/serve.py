"""Serve here what Modal serves there: `uv run myapi`. Needs no account and no network."""

import argparse
import signal
import socket
import sys

from .process import Process, ServerError

NAME = "myapi"
STARTUP_SECONDS = 900


def main() -> None:
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--reload", action="store_true", help="start anew when src/ changes")
    options = parser.parse_args()
    port = free_port(options.host, options.port)

    if options.reload:
        from . import reload

        program = f"from {__name__} import main; main()"
        reload.follow(program, ["--host", options.host, "--port", str(port)])
        return
    # Only noted here: an exception out of a signal handler could leave the server behind.
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: signals.append(number))
    try:
        run(options.host, port, signals)
    except ServerError as error:
        sys.exit(f"{NAME}: {error}")


def run(host: str, port: int, signals: list[int]) -> None:
    """Run the server until a signal comes; raise ServerError when it ends by itself or listens no more."""
    from .local import command

    process = Process(command(host, port), host, port)
    try:
        process.wait_until_ready(STARTUP_SECONDS, lambda: bool(signals))
        if not signals:
            url = f"http://{host}:{port}"
            print(f"{NAME}: a language model on SGLang at {url}")
            print(f"try it: curl -s {url}/v1/models", flush=True)
        process.follow(lambda: bool(signals))
    finally:
        process.stop()


def free_port(host: str, port: int) -> int:
    """Find out before anything is loaded that a port is taken; 0 chooses a free one."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            sys.exit(f"{NAME}: cannot listen on {host}:{port}: {error.strerror}. Try --port 0.")
        return int(listener.getsockname()[1])
