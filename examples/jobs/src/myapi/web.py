"""The web application around the work. Knows nothing of Modal."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import create_model

from . import handlers, logs
from .jobs import UNFINISHED, Job, Jobs, Runner
from .middleware import PROBLEM, PROBLEMS, Limits, RequestContext
from .progress import Event
from .settings import Settings
from .webhook import Webhook

Responses = dict[int | str, dict[str, Any]]

LOOK_SECONDS = 1.0  # from one look at a job to the next, for who follows it
RETRY_MILLISECONDS = 1_000  # after which a client that lost the stream comes again
LAST = "last"  # the id of the event that ends a stream for good
STREAM: Responses = {200: {"content": {"text/event-stream": {}}}}


def create_app(runner: Runner) -> FastAPI:
    settings = Settings()
    logs.configure(settings.log_level)
    app = FastAPI(
        title="myapi",
        responses=PROBLEMS,
    )
    app.include_router(
        routes(Jobs(runner, watched=Webhook.from_env() is not None), settings),
        max_body_size=settings.max_body_bytes,
    )

    @app.get("/health", tags=["health"], summary="The process is up")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/ready", tags=["health"], summary="Jobs can be taken")
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
            expose_headers=["X-Request-ID", "Location"],
        )
    return app


def routes(jobs: Jobs, settings: Settings) -> APIRouter:
    """What can be done with jobs. A plain `def` runs in a thread: runners block."""
    router = APIRouter(tags=["jobs"])
    model = create_model("Job", __base__=Job, result=(handlers.JobResult | None, ...))
    unknown = problem(404, "There is no such job") | problem(410, "It is older than seven days")

    @router.post("/jobs", summary="Start a job", status_code=202, response_model=model)
    def start(
        job: handlers.JobInput,
        # Sent again with the same key, for want of an answer, it leads to the same job.
        # https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> Response:
        digest = hashlib.sha256(job.model_dump_json().encode()).hexdigest()
        job_id = jobs.submit(job, digest, idempotency_key)
        return answer(jobs.read(job_id)[0], 202, {"Location": f"/jobs/{job_id}"})

    @router.get("/jobs/{job_id}", summary="How far it is", response_model=model, responses=unknown)
    def read(job_id: str) -> Response:
        return answer(jobs.read(job_id)[0])

    @router.delete(
        "/jobs/{job_id}",
        summary="Cancel it",
        status_code=204,
        responses=unknown | problem(409, "It has ended otherwise"),
    )
    def cancel(job_id: str) -> None:
        jobs.cancel(job_id)

    def followed(
        job_id: str, last_event_id: Annotated[str | None, Header(max_length=100)] = None
    ) -> int:
        """The number of the last event that a client has, and 204 where nothing can come any more."""
        jobs.read(job_id)
        if last_event_id == LAST:
            raise HTTPException(204)
        return int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0

    @router.get(
        "/jobs/{job_id}/events",
        summary="Follow it, with server-sent events",
        response_class=EventSourceResponse,
        responses=unknown | STREAM | {204: {"description": "All was said"}},
    )
    async def follow(
        job_id: str, seen: Annotated[int, Depends(followed)]
    ) -> AsyncIterator[ServerSentEvent]:
        # FastAPI sends a comment where nothing happens for 15 seconds.
        yield ServerSentEvent(retry=RETRY_MILLISECONDS)
        until = time.monotonic() + min(settings.events_seconds, settings.request_seconds / 2)
        while time.monotonic() < until:
            job, events = await asyncio.to_thread(jobs.read, job_id)
            for event in newer(events, seen):
                seen = event.id
                yield ServerSentEvent(id=str(event.id), event="progress", data=event)
            if job.status not in UNFINISHED:
                yield ServerSentEvent(id=LAST, event=job.status, data=job)
                return
            await asyncio.sleep(LOOK_SECONDS)

    return router


def newer(events: list[Event], seen: int) -> list[Event]:
    return [event for event in events if event.id > seen]


def answer(job: Job, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # Not held against JobResult: another version of this code may have made the result.
    return JSONResponse(job.model_dump(mode="json"), status, headers)


def problem(status: int, description: str) -> Responses:
    return {status: {"description": description, "content": PROBLEM}}
