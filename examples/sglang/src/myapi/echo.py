"""A stand-in for the engine: for tests, and for a machine that has no GPU. Never used on Modal.

Repeats the last message or the prompt, one word a token, behind the same gate as the engine.
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import weights
from .gate import CLOSED, Gate


def create_app() -> Starlette:
    return Starlette(
        routes=[
            Route("/health", health),
            Route(CLOSED, health),  # as the engine has it; no caller gets there
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/completions", complete, methods=["POST"]),
        ]
    )


async def health(_: Request) -> Response:
    return Response()


async def models(_: Request) -> Response:
    model = {"id": weights.MODEL_ID, "object": "model", "created": 0, "owned_by": "echo"}
    return JSONResponse({"object": "list", "data": [model]})


async def chat(request: Request) -> Response:
    return await _answer(request, "chat.completion", lambda body: body["messages"][-1]["content"])


async def complete(request: Request) -> Response:
    return await _answer(request, "text_completion", lambda body: body["prompt"])


async def _answer(request: Request, kind: str, text_of: Any) -> Response:
    try:
        body = await request.json()
        words = text_of(body).split()
        most = int(body.get("max_completion_tokens") or body.get("max_tokens") or 128)
        model = body.get("model") or weights.MODEL_ID
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return _refusal(400, f"not a request of this kind: {type(error).__name__}")
    if model != weights.MODEL_ID:
        return _refusal(404, f"The model `{model}` does not exist.")
    words, reason = words[:most], "length" if len(words) > most else "stop"
    if body.get("stream"):
        return StreamingResponse(_events(kind, words, reason), media_type="text/event-stream")
    text = " ".join(words)
    said: dict[str, Any] = {"text": text}
    if _is_chat(kind):
        said = {"message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 1, "completion_tokens": len(words), "total_tokens": len(words) + 1}
    return JSONResponse(_object(kind, said, reason) | {"usage": usage})


def _events(kind: str, words: list[str], reason: str) -> Iterator[str]:
    def event(text: str, reason: str | None) -> str:
        said = {"delta": {"content": text}} if _is_chat(kind) else {"text": text}
        chunk = f"{kind}.chunk" if _is_chat(kind) else kind
        return f"data: {json.dumps(_object(chunk, said, reason))}\n\n"

    for number, word in enumerate(words):
        yield event(f" {word}" if number else word, None)
    yield event("", reason)
    yield "data: [DONE]\n\n"


def _is_chat(kind: str) -> bool:
    return kind.startswith("chat")


def _object(kind: str, said: dict[str, Any], reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reason, **said}
    return {
        "id": "echo",
        "object": kind,
        "created": 0,
        "model": weights.MODEL_ID,
        "choices": [choice],
    }


def _refusal(status: int, message: str) -> Response:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return JSONResponse({"error": error}, status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        Gate(create_app()),
        host=options.host,
        port=options.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
