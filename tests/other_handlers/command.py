"""Another server in the place of the starter's: it greets in plain text, whatever the path."""

import os
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment


def greet(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Good morning\n"]


if __name__ == "__main__":
    address = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    with make_server(*address, greet) as server:
        server.serve_forever()
