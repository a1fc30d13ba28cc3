"""The web application around the handlers. Knows nothing of Modal."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from . import handlers, logs
from .middleware import PROBLEMS, Limits, RequestContext
from .settings import Settings


def create_app() -> FastAPI:
    settings = Settings()
    logs.configure(settings.log_level)
    app = FastAPI(
        title="myapi",
        responses=PROBLEMS,
    )
    app.include_router(
        handlers.router,
        max_body_size=settings.max_body_bytes,
    )

    @app.get("/health", tags=["health"], summary="The process is up")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/ready", tags=["health"], summary="Requests can be answered")
    async def ready() -> JSONResponse:
        if await handlers.is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own answer repeats the input, which may be what no JSON can hold: NaN, half a character.
        problems = [{key: item[key] for key in ("type", "loc", "msg")} for item in error.errors()]
        return JSONResponse({"detail": problems}, status_code=422)

    app.add_middleware(
        Limits,
        hosts=settings.enforced_hosts,
        max_body_bytes=settings.max_body_bytes,
        max_in_flight=settings.max_in_flight,
        seconds=settings.request_seconds,
    )
    app.add_middleware(RequestContext)
    if settings.cors_origins:  # outermost, so that a browser can read errors too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID"],
        )
    return app
