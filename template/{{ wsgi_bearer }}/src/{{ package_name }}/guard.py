"""Bearer tokens as a WSGI wrapper."""

from collections.abc import Container, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from . import logs
from .auth import Tokens
from .middleware import answer


class Bearer:
    """Passes requests with one of the tokens, or to an open path, and answers 401 to all others.

    The name of the caller goes into the request's log lines.
    """

    def __init__(self, app: WSGIApplication, tokens: Tokens, open_paths: Container[str]) -> None:
        self.app = app
        self.tokens = tokens
        self.open_paths = open_paths

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") not in self.open_paths:
            scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
            name = self.tokens.name_of(token.strip()) if scheme.lower() == "bearer" else None
            if name is None:
                return answer(
                    start_response,
                    "401 Unauthorized",
                    "Missing or unknown token",
                    ("WWW-Authenticate", "Bearer"),
                )
            logs.caller.set(name)
        return self.app(environ, start_response)
