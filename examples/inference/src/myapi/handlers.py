"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every route of `router` becomes part of the API, documented at /docs.
"""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field, StrictBool

from .engine import Completion, Engine, Job
from .settings import Settings
from .streaming import event, respond
from .strict import Float, Integer

router = APIRouter()

StopString = Annotated[str, Field(min_length=1, max_length=64)]


class GenerateRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=100_000, examples=["The sea is"])
    max_new_tokens: Integer = Field(default=128, ge=1, le=1_024)
    temperature: Float = Field(default=0.7, ge=0, le=2, description="0 is always the same answer")
    top_p: Float = Field(default=1.0, gt=0, le=1, description="Sample from the likeliest tokens")
    stop: list[StopString] = Field(
        default=[], max_length=4, description="Strings that end the text, and are cut off"
    )
    seed: Integer | None = Field(default=None, description="The same seed gives the same text")
    stream: StrictBool = Field(
        default=False,
        description="Answer with server-sent events: `text` as it comes, then `done`, or `error`",
    )


class GenerateResponse(BaseModel):
    generated: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


@router.post(
    "/generate",
    summary="Continue a text",
    response_model=GenerateResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def generate(body: GenerateRequest, request: Request) -> GenerateResponse | Response:
    engine: Engine = request.app.state.engine
    settings: Settings = request.app.state.settings
    if not engine.ready:
        detail = f"The model is not ready: {engine.status}"
        raise HTTPException(503, detail, headers={"Retry-After": "5"})
    # The model gets the prompt as it is; /v1/chat/completions puts a conversation into its template.
    job = Job(
        prompt=body.prompt,
        max_new_tokens=body.max_new_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        stop=tuple(body.stop),
        seed=body.seed,
    )
    try:
        if body.stream:
            return await respond(engine.stream(job), settings.generate_timeout, write, fail)
        async with asyncio.timeout(settings.generate_timeout):
            return describe(await engine.generate(job))
    except TimeoutError as error:
        raise HTTPException(
            504, f"No answer within {settings.generate_timeout:g} seconds"
        ) from error


def describe(done: Completion) -> GenerateResponse:
    return GenerateResponse(
        generated=done.text,
        finish_reason=done.finish_reason,
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
    )


def write(item: str | Completion) -> str:
    if isinstance(item, str):
        return event({"text": item}, "text")
    return event(describe(item).model_dump(), "done")


def fail(status: int, message: str) -> str:
    return event({"status": status, "detail": message}, "error")
