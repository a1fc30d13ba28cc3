"""The server. Yours: the template never changes this file after it wrote it.

A start in Python's standard library. Anything else that listens on HOST and PORT may take its place, in any
language: change the command in command.py.
"""

import json
import logging
import os
import re
import signal
import socket
import threading
import time
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from . import logs

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)


class Handler(BaseHTTPRequestHandler):
    timeout = 60  # seconds that a silent client may hold a thread

    def do_GET(self) -> None:
        sent_id = self.headers.get("X-Request-ID", "")
        if SANE_ID.fullmatch(sent_id):
            logs.request_id.set(sent_id)
        match urlsplit(self.path).path:
            case "/":
                self.answer({"message": "Hello, World!"})
            case "/health":
                self.answer({"status": "healthy"})
            case _:
                self.answer({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def setup(self) -> None:
        super().setup()  # one connection, one thread, one request
        logs.request_id.set(uuid.uuid4().hex)

    def answer(self, content: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-ID", logs.request_id.get() or "")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer as JSON what the standard library refuses: an unknown method, a bad request."""
        self.answer({"detail": message or HTTPStatus(code).phrase}, HTTPStatus(code))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        # Not the query: secrets may stand there.
        log.info("request", extra={"request": self.requestline.partition("?")[0], "status": code})

    def log_message(self, format: str, *args: Any) -> None:
        log.warning(format, *args)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # SIGTERM waits for what has begun
    request_queue_size = 128  # connections that wait to be taken; one more would wait for seconds

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as error:  # out of file descriptors; it would try again at once, for ever
            log.error("cannot take a connection: %s", error.strerror)
            time.sleep(0.5)
            raise


def main() -> None:
    logs.configure(os.environ.get("LOG_LEVEL", "INFO"))
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")))
    with Server(address, Handler) as server:
        # shutdown() waits for the loop that the signal interrupts, so it needs a thread of its own.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever()


if __name__ == "__main__":
    main()
