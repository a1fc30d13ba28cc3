"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every route of `router` becomes part of the API, documented at /docs.
"""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from .engine import Engine
from .strict import Positive
from .vectors import shorten

router = APIRouter()

Sentence = Annotated[str, Field(min_length=1, max_length=100_000)]


class EmbedRequest(BaseModel):
    texts: list[Sentence] = Field(min_length=1, max_length=256, examples=[["The sea is wide"]])
    dimensions: Positive | None = Field(
        default=None, description="Only so many of a vector, for models that are trained for it"
    )


class EmbedResponse(BaseModel):
    vectors: list[list[float]] = Field(description="One for each text, of length 1")
    tokens: int


@router.post("/embed", summary="A vector for each text")
async def embed(body: EmbedRequest, request: Request) -> EmbedResponse:
    engine: Engine = request.app.state.engine
    readings = await engine.read(body.texts)
    return EmbedResponse(
        vectors=[shorten(reading.values, body.dimensions) for reading in readings],
        tokens=sum(reading.tokens for reading in readings),
    )
