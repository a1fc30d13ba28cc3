"""The web application around the handlers. Knows nothing of Modal, and of the model only its interface."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from . import handlers, logs
from .disconnect import CancelOnDisconnect
from .engine import BusyError, Engine, EngineFailedError, RefusedError
from .middleware import PROBLEMS, Limits, RequestContext, as_json
from .settings import Settings


def create_app(engine: Engine) -> FastAPI:
    settings = Settings()
    logs.configure(settings.log_level)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.close()

    app = FastAPI(
        title="myapi",
        lifespan=lifespan,
        responses=PROBLEMS,
    )
    app.state.engine = engine
    app.state.settings = settings
    app.include_router(
        handlers.router,
        max_body_size=settings.max_body_bytes,
    )

    @app.get("/health", tags=["health"], summary="The process is up")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/ready", tags=["health"], summary="The model is loaded")
    async def ready() -> JSONResponse:
        if engine.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": engine.status}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own answer repeats the input: whole texts, or what no JSON can hold (NaN).
        problems = [{key: item[key] for key in ("type", "loc", "msg")} for item in error.errors()]
        return JSONResponse({"detail": problems}, status_code=422)

    @app.exception_handler(HTTPException)
    async def answer_as_asked(request: Request, error: HTTPException) -> JSONResponse:
        return answer(request.scope, error)

    @app.exception_handler(RefusedError)
    async def refuse_text(_: Request, error: RefusedError) -> JSONResponse:
        problem = {"type": "refused", "loc": ["body"], "msg": str(error)}
        return JSONResponse({"detail": [problem]}, status_code=422)

    @app.exception_handler(BusyError)
    async def put_off(_: Request, error: BusyError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503, headers={"Retry-After": "1"})

    @app.exception_handler(EngineFailedError)
    async def admit(_: Request, error: EngineFailedError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=500)

    app.add_middleware(
        Limits,
        hosts=settings.enforced_hosts,
        max_body_bytes=settings.max_body_bytes,
        max_in_flight=settings.max_in_flight,
        seconds=settings.request_seconds,
    )
    app.add_middleware(RequestContext, answer=answer)
    app.add_middleware(CancelOnDisconnect)
    if settings.cors_origins:  # outermost, so that a browser can read errors too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID"],
        )
    return app


def answer(scope: Scope, error: HTTPException) -> JSONResponse:
    """An error in the shape of the API that was asked."""
    return as_json(scope, error)
