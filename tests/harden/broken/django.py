"""Views that fail and wait."""

import time
from collections.abc import Iterator

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path


def ok(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"answer": "ok"})


def fail(request: HttpRequest) -> JsonResponse:
    raise RuntimeError("the password is hunter2")


def fail_late(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        yield b"so far so good"
        time.sleep(0.2)
        raise RuntimeError("the password is hunter2")

    return StreamingHttpResponse(body())


def wait(request: HttpRequest) -> JsonResponse:
    time.sleep(float(request.GET["seconds"]))
    return JsonResponse({"answer": "slow"})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        for number in range(int(request.GET["pieces"])):
            yield b"%d\n" % number
            time.sleep(0.1)

    return StreamingHttpResponse(body())


urlpatterns = [
    path("ok", ok),
    path("raise", fail),
    path("late", fail_late),
    path("slow", wait),
    path("stream", stream),
]


def is_ready() -> bool:
    return True
