"""Another route to the model: it answers a question in plain text."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from .engine import Engine, Job

router = APIRouter()


@router.get("/ask")
async def ask(question: str, request: Request) -> PlainTextResponse:
    engine: Engine = request.app.state.engine
    done = await engine.generate(Job(prompt=question, max_new_tokens=8))
    return PlainTextResponse(done.text)
