"""Another API: it adds numbers."""

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter()


class Numbers(BaseModel):
    numbers: list[float]


@router.put("/sum")
def add(body: Numbers) -> dict[str, float]:
    return {"sum": sum(body.numbers)}


async def is_ready() -> bool:
    return True
