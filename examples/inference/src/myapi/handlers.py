"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every route of `router` becomes part of the API, documented at /docs.
"""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

from .engine import Engine, Job, PromptRefusedError
from .settings import Settings

router = APIRouter()

StopString = Annotated[str, Field(min_length=1, max_length=64)]


class GenerateRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=100_000, examples=["The sea is"])
    max_new_tokens: int = Field(default=128, ge=1, le=1_024)
    temperature: float = Field(default=0.7, ge=0, le=2, description="0 is always the same answer")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Sample from the likeliest tokens")
    stop: list[StopString] = Field(
        default=[], max_length=4, description="Strings that end the text, and are cut off"
    )


class GenerateResponse(BaseModel):
    generated: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


class Problem(BaseModel):
    detail: str


@router.post(
    "/generate",
    summary="Continue a text",
    responses={503: {"model": Problem}, 504: {"model": Problem}},
)
async def generate(body: GenerateRequest, request: Request) -> GenerateResponse:
    engine: Engine = request.app.state.engine
    settings: Settings = request.app.state.settings
    if not engine.ready:
        raise HTTPException(503, "The model is not loaded yet", headers={"Retry-After": "5"})
    # The model gets the prompt as it is. A conversation needs the model's chat template first:
    # https://huggingface.co/docs/transformers/chat_templating
    job = Job(
        prompt=body.prompt,
        max_new_tokens=body.max_new_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        stop=tuple(body.stop),
    )
    try:
        async with asyncio.timeout(settings.generate_timeout):
            done = await engine.generate(job)
    except PromptRefusedError as error:
        raise HTTPException(422, str(error)) from error
    except TimeoutError as error:
        raise HTTPException(
            504, f"No answer within {settings.generate_timeout:g} seconds"
        ) from error
    return GenerateResponse(
        generated=done.text,
        finish_reason=done.finish_reason,
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
    )
