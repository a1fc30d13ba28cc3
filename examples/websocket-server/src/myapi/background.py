"""uvicorn in a container, beside Modal's own code, which passes requests on to its port. Knows nothing of Modal."""

import contextlib
import logging
import os
import socket
import sys
import threading
import time

import uvicorn
from fastapi import FastAPI

from .serve import Server

END_SECONDS = 5  # for what is under way; before that, Modal has waited for it
log = logging.getLogger(__name__)


class Background:
    """Serves an application from a thread of its own, which ends this process if it ends by itself."""

    def __init__(self, app: FastAPI, port: int) -> None:
        """Return when the port takes requests.

        Raises:
            OSError: when the port is taken.
            RuntimeError: when the application does not start; the log says why.
        """
        # A refused handshake is no error of the application: https://github.com/Kludex/uvicorn/pull/3138
        logging.getLogger("uvicorn.error").addFilter(lambda record: "handshake" not in record.msg)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=END_SECONDS,
            ws_max_size=2 * 1024 * 1024,
        )
        self._server = Server(config)
        self._stopping = False
        # Modal comes in by the container's network interface, where 127.0.0.1 is not.
        listener = socket.create_server(("0.0.0.0", port))  # noqa: S104
        self._thread = threading.Thread(target=self._serve, args=[listener], daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the application does not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Let nobody in any more, finish what is under way, and return."""
        self._stopping = True
        self._server.should_exit = True
        self._thread.join()

    def _serve(self, listener: socket.socket) -> None:
        try:
            # uvicorn means to exit where the application does not start; here that is an error of __init__.
            with listener, contextlib.suppress(SystemExit):
                self._server.run(sockets=[listener])
        finally:
            # A container without its server would go on taking requests, and answer none.
            if self._server.started and not self._stopping:
                log.error("the server ended by itself")
                sys.stdout.flush()
                os._exit(1)
