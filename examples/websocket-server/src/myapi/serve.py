"""Serve here what Modal serves there: `uv run myapi`. Needs no account and no network."""

import argparse
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from typing import Any

import uvicorn

NAME = "myapi"
EXAMPLE = "open $URL in a browser, with the token $TOKEN"


def main() -> None:
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--reload", action="store_true", help="start anew when src/ changes")
    options = parser.parse_args()
    # On Modal a missing secret stops the start. Here it is made up, for this run only.
    os.environ.setdefault("API_TOKENS", "local:" + secrets.token_urlsafe(32))
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
    print(f"{NAME}: a WebSocket server at {url}")
    token = os.environ["API_TOKENS"].split(",")[0].partition(":")[2]
    print("try it:", EXAMPLE.replace("$URL", url).replace("$TOKEN", token), flush=True)

    # A refused handshake is no error of the application: https://github.com/Kludex/uvicorn/pull/3138
    logging.getLogger("uvicorn.error").addFilter(lambda record: "handshake" not in record.msg)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
        ws_max_size=2 * 1024 * 1024,  # as Modal's
    )
    Server(config).run(sockets=[listener])


class Server(uvicorn.Server):
    """Lets the application end its sockets: uvicorn itself resets those whose client is just then sending."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.config.app.state.drain()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def load() -> Any:
    """The application that Modal runs."""
    from .web import create_app

    return create_app()


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
