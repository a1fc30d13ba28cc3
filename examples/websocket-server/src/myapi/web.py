"""The web application around the handlers: the socket, who may open it, and a page. Knows nothing of Modal."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator

from fastapi import FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketState

from . import handlers, logs
from .auth import Tokens
from .connection import Connection
from .middleware import Limits, RequestContext
from .page import Page
from .settings import Settings

# The subprotocol that is spoken. A browser cannot send headers, so its page offers a token beside this
# one, as "bearer.<token>"; only this one is ever selected, and so sent back.
SUBPROTOCOL = "app.v1"
DRAIN_SECONDS = 5  # for clients to take their leave when the server stops
log = logging.getLogger(__name__)


def create_app() -> FastAPI:
    settings = Settings()
    logs.configure(settings.log_level)
    tokens = Tokens.from_env()
    connected: set[WebSocket] = set()
    draining = False

    async def drain() -> None:
        """Let nobody in any more, and ask all to connect again elsewhere."""
        nonlocal draining
        draining = True
        until = asyncio.get_running_loop().time() + DRAIN_SECONDS
        open_still = list(connected)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await asyncio.gather(*map(leave, open_still), return_exceptions=True)
                while connected:  # noqa: ASYNC110 (nobody tells)
                    await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await drain()

    app = FastAPI(openapi_url=None, lifespan=lifespan)  # OpenAPI cannot describe a socket
    app.state.drain = drain
    page = Page()

    def admit(connection: HTTPConnection) -> None:
        """Pass a handshake, or raise the HTTPException that answers it."""
        if not is_from(connection, settings.allowed_origins):
            raise HTTPException(403, "Pages of this origin may not connect")
        caller = tokens.name_of(token_of(connection))
        if caller is None:
            raise HTTPException(401, "Missing or unknown token", {"WWW-Authenticate": "Bearer"})
        logs.caller.set(caller)
        if draining or len(connected) >= settings.max_connections:
            raise HTTPException(503, "All sockets are taken, try again later", {"Retry-After": "5"})

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        request_id = uuid.uuid4().hex
        logs.request_id.set(request_id)
        try:
            admit(websocket)
        except HTTPException as refusal:
            await refuse(websocket, refusal, request_id)
            return
        connected.add(websocket)
        try:
            if await accept(websocket, request_id):
                await Connection(websocket, settings).serve(handlers.on_message)
        finally:
            connected.discard(websocket)

    @app.get("/ws")
    async def explain(request: Request) -> None:
        """Say what a handshake would be answered: of its own a browser learns only that it failed."""
        admit(request)
        raise HTTPException(400, "This is a socket: connect with a WebSocket client")

    @app.get("/")
    async def index() -> HTMLResponse:
        return page.answer()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        if len(connected) < settings.max_connections and await handlers.is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    app.add_middleware(
        Limits,
        hosts=settings.enforced_hosts,
        max_body_bytes=settings.max_message_bytes,
        max_in_flight=settings.max_in_flight,
        seconds=settings.request_seconds,
    )
    app.add_middleware(RequestContext)
    return app


def is_from(connection: HTTPConnection, allowed: list[str]) -> bool:
    """Whether the page that connects is one of this host or of an allowed origin, if it is a page at all.

    Browsers let every page open a socket to everywhere, and say whose it is.
    """
    origin = connection.headers.get("origin")
    own = {f"{scheme}://{connection.headers.get('host')}" for scheme in ("http", "https")}
    return origin is None or origin in own or not {origin, "*"}.isdisjoint(allowed)


def token_of(connection: HTTPConnection) -> str:
    """The token in the Authorization header, or among the offered subprotocols. Never in the URL: those are logged."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered: list[str] = connection.scope.get("subprotocols", [])
    return next((o.removeprefix("bearer.") for o in offered if o.startswith("bearer.")), "")


async def accept(websocket: WebSocket, request_id: str) -> bool:
    """Open the socket; False where the client has left while it waited for a container."""
    spoken = SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", []) else None
    try:
        await websocket.accept(spoken, [(b"x-request-id", request_id.encode())])
    except RuntimeError:  # Modal says that it left where Starlette expects that it came
        return False
    return True


async def leave(websocket: WebSocket) -> None:
    """Close a socket whose server stops."""
    if websocket.application_state is WebSocketState.CONNECTED:
        await websocket.close(1012, "the server stops: connect again")


async def refuse(websocket: WebSocket, refusal: HTTPException, request_id: str) -> None:
    """Answer a handshake with an HTTP error; a server that cannot makes it a bare 403."""
    log.info("refused", extra={"status": refusal.status_code, "reason": refusal.detail})
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        headers = {**(refusal.headers or {}), "X-Request-ID": request_id}
        answer = JSONResponse({"detail": refusal.detail}, refusal.status_code, headers)
        await websocket.send_denial_response(answer)
    else:
        await websocket.close(1013 if refusal.status_code == 503 else 1008, refusal.detail)
