"""Routes that fail and wait."""

import time
from collections.abc import Iterator

from flask import Blueprint, Response, request

routes = Blueprint("routes", __name__)


@routes.get("/ok")
def ok() -> dict[str, str]:
    return {"answer": "ok"}


@routes.get("/raise")
def fail() -> None:
    raise RuntimeError("the password is hunter2")


@routes.get("/late")
def fail_late() -> Response:
    def body() -> Iterator[bytes]:
        yield b"so far so good"
        time.sleep(0.2)
        raise RuntimeError("the password is hunter2")

    return Response(body())


@routes.get("/slow")
def wait() -> dict[str, str]:
    time.sleep(float(request.args["seconds"]))
    return {"answer": "slow"}


@routes.get("/stream")
def stream() -> Response:
    pieces = int(request.args["pieces"])

    def body() -> Iterator[bytes]:
        for number in range(pieces):
            yield b"%d\n" % number
            time.sleep(0.1)

    return Response(body())


def is_ready() -> bool:
    return True
