"""What every request passes before the engine, in the engine's own process: who may call, what, and how much.

An engine has routes that stop it, change its weights or run code of the caller's choice, and its own API key
opens them to all who may ask the model: https://docs.sglang.io/docs/advanced_features/server_arguments
"""

import hmac
import os
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs
from .middleware import PROBES, Limits, RequestContext, header
from .settings import Settings

# Whoever shows the key in that variable as a token, which is made anew for each engine, comes from inside its container.
KEY = "CONTROL_KEY"
# An engine answers that to anybody. Behind the gate nobody gets there, so that it shows whether the gate is there.
CLOSED = "/ping"


class Gate:
    """Around the engine's application."""

    def __init__(self, app: ASGIApp) -> None:
        settings = Settings()
        logs.configure(settings.log_level)
        self.inside = app
        self.key = os.environ.get(KEY, "").encode()
        outside: ASGIApp = Reachable(app, settings.paths, settings.max_body_bytes)
        outside = Limits(
            outside,
            hosts=settings.enforced_hosts,
            max_body_bytes=settings.max_body_bytes,
            max_in_flight=settings.max_in_flight,
            seconds=settings.request_seconds,
        )
        self.outside = RequestContext(outside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.inside if self.is_inside(scope) else self.outside
        await app(scope, receive, send)

    def is_inside(self, scope: Scope) -> bool:
        if scope["type"] == "lifespan":
            return True
        shown = header(scope, b"authorization")
        return bool(self.key) and hmac.compare_digest(shown, b"Bearer " + self.key)


class Reachable:
    """Passes only what callers need of the engine, and to it only bodies that it can hold.

    Args:
        paths: how those begin that are reachable, besides the probes.
        max_body_bytes: of a request, counted where it does not say how long it is.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str], max_body_bytes: int) -> None:
        self.app = app
        self.paths = tuple(paths)
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] in PROBES:
                scope = {**scope, "path": "/health", "raw_path": b"/health"}
            elif not self.is_reachable(scope["path"]):
                raise HTTPException(404, "Not Found")
            elif scope["method"] not in {"GET", "HEAD"}:
                receive = await self.read(receive)
            await self.app(scope, receive, send)
        elif self.is_reachable(scope["path"]):
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "Not Found"})

    def is_reachable(self, path: str) -> bool:
        return path.startswith(self.paths) and "/.." not in path

    async def read(self, receive: Receive) -> Receive:
        """Take the body, and give it on in one piece.

        Raises:
            HTTPException: for a body that is too large, or breaks off.
        """
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise HTTPException(400, "The body broke off")
            body += message.get("body", b"")
            if len(body) > self.max_body_bytes:
                raise HTTPException(413, "Content Too Large")
            more = message.get("more_body", False)
        whole: list[Message] = [{"type": "http.request", "body": bytes(body)}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        return replay
