"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every route of `router` becomes part of the API, documented at /docs.
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field, StrictBool

from . import weights
from .engine import Engine
from .strict import Positive

router = APIRouter()

Passage = Annotated[str, Field(min_length=1, max_length=100_000)]


class RerankRequest(BaseModel):
    query: Passage = Field(examples=["Why is the sea blue?"])
    documents: list[Passage] = Field(min_length=1, max_length=256)
    top_n: Positive | None = Field(default=None, description="Only so many, the best")
    return_documents: StrictBool = Field(default=False, description="With their texts")
    model: str | None = Field(default=None, description="If named, the one that is served")


class Document(BaseModel):
    text: str


class Ranked(BaseModel):
    index: int = Field(description="The document's place in the request")
    relevance_score: float = Field(description="From 0 to 1")
    document: Document | None = None


class RerankResponse(BaseModel):
    results: list[Ranked] = Field(description="The best first")
    tokens: int


@router.post(
    "/rerank",
    summary="Documents in the order in which they answer a query",
    response_model_exclude_none=True,
    responses={404: {"description": "That model is not served here"}},
)
async def rerank(body: RerankRequest, request: Request) -> RerankResponse:
    if body.model not in (None, weights.MODEL_ID):
        raise HTTPException(404, f"There is no model {body.model!r} here, only {weights.MODEL_ID}")
    engine: Engine = request.app.state.engine
    readings = await engine.read([(body.query, document) for document in body.documents])
    scores = [reading.values[0] for reading in readings]
    # Of equals, the one that was named first.
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return RerankResponse(
        results=[
            Ranked(
                index=index,
                relevance_score=scores[index],
                document=Document(text=body.documents[index]) if body.return_documents else None,
            )
            for index in order[: body.top_n]
        ],
        tokens=sum(reading.tokens for reading in readings),
    )
