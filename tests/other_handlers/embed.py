"""Another route to the model: how near two texts are, as one number."""

from fastapi import APIRouter, Request

from .engine import Engine

router = APIRouter()


@router.get("/near")
async def near(one: str, other: str, request: Request) -> float:
    engine: Engine = request.app.state.engine
    first, second = await engine.read([one, other])
    return sum(a * b for a, b in zip(first.values, second.values, strict=True))
