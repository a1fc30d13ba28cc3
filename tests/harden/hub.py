"""A hub of models on loopback, which can stop, stall or refuse in the middle of a file."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves one model.

    Attributes:
        files: of the model.
        fault: what it does in the middle of weights: "", "cut", "stall" or "503".
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.fault = ""
        self.stalled = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            siblings = [
                {"rfilename": name, "size": len(self.server.files[name])}
                for name in self.server.files
            ]
            if "/tree/" in path:
                tree = [
                    {"type": "file", "path": name, "size": len(content), "oid": COMMIT}
                    for name, content in self.server.files.items()
                ]
                self.answer(json.dumps(tree).encode())
            else:
                self.answer(json.dumps({"id": "m", "sha": COMMIT, "siblings": siblings}).encode())
            return
        name = path.rpartition("/")[2]
        content = self.server.files.get(name)
        fault = self.server.fault if name.endswith(".safetensors") else ""
        if content is None or (fault == "503" and self.command == "GET"):
            self.send_response(404 if content is None else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        self.answer(content, start, fault, name)

    do_HEAD = do_GET

    def answer(self, content: bytes, start: int = 0, fault: str = "", name: str = "api") -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha256(name.encode() + content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(OSError):
            if fault in ("cut", "stall"):
                self.wfile.write(content[start : len(content) // 2])
                self.wfile.flush()
                if fault == "stall":
                    self.server.stalled.set()
                    time.sleep(60)
                return
            self.wfile.write(content[start:])

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def hub(files: Mapping[str, bytes]) -> Iterator[Hub]:
    """Run one until the block ends."""
    with Hub(files) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
