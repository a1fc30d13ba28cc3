"""The web application around the server of handlers.py. Knows nothing of Modal."""

import logging
from collections.abc import Collection

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs
from .middleware import Limits, RequestContext, header
from .settings import Settings

PATH = "/mcp"


def create_app() -> Starlette:
    settings = Settings()
    logs.configure(settings.log_level)
    # It says of each request that its session ends, and there are none.
    logging.getLogger("mcp.server.streamable_http").setLevel(logging.WARNING)
    # Not before: a server of the SDK that finds no log configured writes one of its own.
    from . import handlers

    app = handlers.server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,  # whichever container Modal sends a request to can answer it
        max_request_body_size=settings.max_body_bytes,
        # It wants all names listed under which the server answers; `Door` needs none of them.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "healthy"})

    async def ready(_: Request) -> Response:
        if await handlers.is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    async def pass_on(_: Request, error: Exception) -> Response:
        raise error  # RequestContext answers it, in JSON

    app.add_route("/health", health)
    app.add_route("/ready", ready)
    app.add_exception_handler(HTTPException, pass_on)
    app.add_middleware(
        Door, origins=settings.allowed_origins, max_body_bytes=settings.max_body_bytes
    )
    app.add_middleware(
        Limits,
        hosts=settings.enforced_hosts,
        max_body_bytes=settings.max_body_bytes,
        max_in_flight=settings.max_in_flight,
        seconds=settings.request_seconds,
    )
    app.add_middleware(RequestContext)
    if settings.allowed_origins:  # outermost, so that a browser can read errors too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID"],
        )
    return app


class Door:
    """Turns away pages that nobody allowed, and what a server without sessions cannot answer; waits for the whole body.

    With each POST a browser says whose page sends it, so that no page gets in unasked: not one that looks for servers on its
    visitor's machine, and not one whose own name leads there (DNS rebinding).
    https://modelcontextprotocol.io/specification/latest/basic/transports#security-warning

    Args:
        origins: of pages that may call, `*` for all.
        max_body_bytes: of a request of the protocol.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], max_body_bytes: int) -> None:
        self.app = app
        self.origins = origins
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.check(scope)
            if scope["path"] == PATH:
                receive = await self.read(receive)
        await self.app(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Raise HTTPException for a request that is turned away."""
        origin = header(scope, b"origin").decode("latin-1")
        if origin and {origin, "*"}.isdisjoint(self.origins):
            raise HTTPException(403, "Pages of this origin may not call: see ALLOWED_ORIGINS")
        # The SDK would answer GET with a stream that never says anything, and keeps its container paid.
        if scope["path"] == PATH and scope["method"] != "POST":
            detail = "Only POST: this server has no sessions and no streams of its own"
            raise HTTPException(405, detail, {"Allow": "POST"})

    async def read(self, receive: Receive) -> Receive:
        """Take the body, and give it on in one piece. The SDK logs who leaves in the middle of one as an error of its own.

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
