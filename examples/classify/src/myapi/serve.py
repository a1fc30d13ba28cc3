"""Serve here what Modal serves there: `uv run myapi`. Needs no account and no network."""

import argparse
import contextlib
import gc
import json
import signal
import socket
import sys
from typing import Any

import uvicorn

NAME = "myapi"
EXAMPLE = """curl -s '$URL/classify' -H 'Content-Type: application/json' -d '{"texts": ["good and great"]}'"""


def main() -> None:
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--reload", action="store_true", help="start anew when src/ changes")
    parser.add_argument("action", nargs="?", choices=["openapi"], help="print the OpenAPI document")
    options = parser.parse_args()
    if options.action == "openapi":
        with contextlib.redirect_stdout(sys.stderr):  # the document stands alone
            document = load().openapi()
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    # Ctrl-C ends it like SIGTERM, without a traceback: uvicorn finishes what it has begun first.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listener = listen(options.host, options.port)
    if options.reload:
        from . import reload

        # The port stays open, so that requests wait for the next start and are not refused.
        fd = listener.fileno()
        program = f"import socket; from {__name__} import serve; serve(socket.socket(fileno={fd}))"
        reload.follow(program, descriptors=[fd])
    else:
        serve(listener)


def serve(listener: socket.socket) -> None:
    url = "http://{}:{}".format(*listener.getsockname()[:2])
    app = load()
    gc.freeze()  # as in a container: what is loaded stays
    print(f"{NAME}: text classification at {url}, documented at {url}/docs")
    print("try it:", EXAMPLE.replace("$URL", url), flush=True)

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])


def load() -> Any:
    """The application that Modal runs."""
    from .local import application

    return application()


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is loaded, so that a taken one is a plain message."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        sys.exit(f"{NAME}: cannot listen on {host}:{port}: {error.strerror}. Try --port 0.")
    return listener
