"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every route of `router` becomes part of the API, documented at /docs.
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field

router = APIRouter()


class PredictRequest(BaseModel):
    text: str = Field(min_length=1, max_length=10_000, examples=["The quick brown fox"])
    max_length: int = Field(default=100, ge=1, le=1_000, description="Most words in the result")


class PredictResponse(BaseModel):
    result: str
    tokens: int = Field(description="Words in the result")


class Item(BaseModel):
    item_id: int
    name: str


class Problem(BaseModel):
    detail: str


ITEMS = {1: "first item", 2: "second item"}


# A plain `def` runs in a thread and may block; use `async def` where you await something.
@router.post("/predict", summary="Shorten a text")
def predict(request: PredictRequest) -> PredictResponse:
    words = request.text.split()[: request.max_length]
    return PredictResponse(result=" ".join(words), tokens=len(words))


@router.get("/items/{item_id}", summary="Fetch an item", responses={404: {"model": Problem}})
async def get_item(item_id: Annotated[int, Path(ge=0)]) -> Item:
    if item_id not in ITEMS:
        raise HTTPException(status_code=404, detail="Item not found")
    return Item(item_id=item_id, name=ITEMS[item_id])


async def is_ready() -> bool:
    """Tell `/ready` whether requests can be answered now: a database is reachable, a cache is warm."""
    return True
