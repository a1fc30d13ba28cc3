"""Errors as JSON: those that a view raises, and Django's own pages."""

import json
from collections.abc import Callable
from wsgiref.types import WSGIEnvironment

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse


class Problem(Exception):
    """What a view raises to answer with an error: `raise Problem(404, "Item not found")`."""

    def __init__(self, status: int, detail: object) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class JsonErrors:
    """Middleware after which no error is a page. An unforeseen one goes up to RequestContext."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code >= 400 and "json" not in response.headers["Content-Type"]:
            response.content = json.dumps({"detail": response.reason_phrase})
            response.headers["Content-Type"] = "application/json"
            response.headers["Content-Length"] = str(len(response.content))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Problem):
            return JsonResponse({"detail": exception.detail}, status=exception.status)
        return None


class Request(WSGIRequest):
    """A Content-Type that Django cannot parse counts as none; Django itself would answer 500."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        try:
            super().__init__(environ)
        except ValueError:
            super().__init__(environ | {"CONTENT_TYPE": ""})
