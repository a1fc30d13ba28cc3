"""Another route to the model: its first value for one text, as a number."""

from fastapi import APIRouter, Request

from .engine import Engine

router = APIRouter()


@router.get("/value")
async def value(text: str, request: Request) -> float:
    engine: Engine = request.app.state.engine
    (reading,) = await engine.read([text])
    return reading.values[0]
