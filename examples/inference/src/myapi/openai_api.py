"""The part of OpenAI's API that its clients need for text: https://platform.openai.com/docs/api-reference

What is not offered (several answers, tools, log probabilities, penalties) is refused by name, never ignored.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from . import weights
from .engine import (
    BusyError,
    Completion,
    Engine,
    EngineFailedError,
    Job,
    Message,
    PromptRefusedError,
)
from .settings import Settings
from .streaming import event, respond
from .strict import Float, Integer, Never, Positive


def problem(status: int, message: str, parameter: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = "model_not_found" if status == 404 else None
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


class Route(APIRoute):
    """Answers errors in OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_errors(request: Request) -> Response:
            headers: Mapping[str, str] | None = None
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                parameter = ".".join(str(part) for part in first["loc"][1:]) or None
                status, message = 400, first["msg"]
                message = f"{parameter}: {message}" if parameter else message
                return JSONResponse(problem(status, message, parameter), status)
            except PromptRefusedError as error:
                status, message = 400, str(error)
            except BusyError as error:
                status, message, headers = 503, str(error), {"Retry-After": "1"}
            except EngineFailedError as error:
                status, message = 500, str(error)
            except TimeoutError:
                seconds = request.app.state.settings.generate_timeout
                status, message = 504, f"No answer within {seconds:g} seconds"
            except HTTPException as error:
                status, message, headers = error.status_code, str(error.detail), error.headers
            return JSONResponse(problem(status, message), status, headers)

        return handle_errors


class Failure(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIProblem(BaseModel):
    error: Failure


router = APIRouter(
    prefix="/v1",
    route_class=Route,
    tags=["OpenAI"],
    responses={status: {"model": OpenAIProblem} for status in (400, 404, 413, 500, 503, 504)},
)


def allow_null(schema: dict[str, Any]) -> None:
    """Say in the document what `drop_nothing` does."""
    for name, each in schema["properties"].items():
        if name not in schema["required"]:
            schema["properties"][name] = {"anyOf": [each, {"type": "null"}]}
    schema["additionalProperties"] = {"type": "null"}


class Body(BaseModel):
    """What is not known is refused, not passed over."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=allow_null)

    @model_validator(mode="before")
    @classmethod
    def drop_nothing(cls, data: Any) -> Any:
        """Clients send null for what they leave to the server."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}

NonEmpty = Annotated[str, Field(min_length=1)]
StopString = Annotated[str, Field(min_length=1, max_length=64)]
Zero = Annotated[Float, Field(ge=0, le=0)]


class StreamOptions(BaseModel):
    include_usage: StrictBool = False


class Common(Body):
    """What both kinds of requests may say. `user`, `metadata` and `store` change nothing here."""

    model: str
    max_tokens: Positive | None = None
    temperature: Float = Field(default=1, ge=0, le=2)
    top_p: Float = Field(default=1, gt=0, le=1)
    n: Integer = Field(default=1, ge=1, le=1)
    stop: StopString | Annotated[list[StopString], Field(max_length=4)] | None = None
    seed: Integer | None = None
    stream: StrictBool = False
    stream_options: StreamOptions | None = None
    logprobs: Never = False
    frequency_penalty: Zero = 0
    presence_penalty: Zero = 0
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: StrictBool | None = None

    def job(self, prompt: str, *, is_chat: bool, max_new_tokens: int | None) -> Job:
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return Job(
            prompt=prompt,
            max_new_tokens=max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=tuple(stop),
            seed=self.seed,
            is_chat=is_chat,
        )


class CompletionRequest(Common):
    prompt: NonEmpty | Annotated[list[NonEmpty], Field(min_length=1, max_length=1)]
    max_tokens: Positive | None = 16
    echo: Never = False
    best_of: Integer = Field(default=1, ge=1, le=1)


class TextPart(BaseModel):
    type: Literal["text"]
    text: NonEmpty


class TextFormat(BaseModel):
    type: Literal["text"]


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: NonEmpty | Annotated[list[TextPart], Field(min_length=1)]
    name: str | None = None

    def message(self) -> Message:
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        # Models know `system`, which OpenAI has renamed.
        return Message("system" if self.role == "developer" else self.role, text)


class ChatRequest(Common):
    messages: list[ChatMessage] = Field(min_length=1)
    response_format: TextFormat | None = None
    max_completion_tokens: Positive | None = None


@router.get("/models")
async def list_models() -> dict[str, Any]:
    return {"object": "list", "data": [describe_model()]}


@router.get("/models/{name:path}")
async def find_model(name: str) -> dict[str, Any]:
    check_model(name)
    return describe_model()


def describe_model() -> dict[str, Any]:
    return {
        "id": weights.MODEL_ID,
        "object": "model",
        "created": 0,
        "owned_by": weights.MODEL_ID.split("/")[0],
    }


def check_model(name: str) -> None:
    if name != weights.MODEL_ID:
        raise HTTPException(404, f"There is no model {name!r} here, only {weights.MODEL_ID!r}")


@router.post("/completions", response_model=None, responses=STREAM)
async def complete(body: CompletionRequest, request: Request) -> Response:
    check_model(body.model)
    prompt = body.prompt if isinstance(body.prompt, str) else body.prompt[0]
    job = body.job(prompt, is_chat=False, max_new_tokens=body.max_tokens)
    return await answer(job, body, request, "text_completion", "cmpl")


@router.post("/chat/completions", response_model=None, responses=STREAM)
async def chat(body: ChatRequest, request: Request) -> Response:
    check_model(body.model)
    engine: Engine = request.app.state.engine
    prompt = engine.chat([message.message() for message in body.messages])
    most = body.max_completion_tokens or body.max_tokens
    job = body.job(prompt, is_chat=True, max_new_tokens=most)
    return await answer(job, body, request, "chat.completion", "chatcmpl")


async def answer(job: Job, body: Common, request: Request, kind: str, prefix: str) -> Response:
    """Generate, and write it down the way OpenAI does, whole or as a stream."""
    engine: Engine = request.app.state.engine
    settings: Settings = request.app.state.settings
    is_chat = kind == "chat.completion"
    head = {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": weights.MODEL_ID,
    }
    if not body.stream:
        async with asyncio.timeout(settings.generate_timeout):
            done = await engine.generate(job)
        message = {"role": "assistant", "content": done.text}
        text: dict[str, Any] = {"message": message} if is_chat else {"text": done.text}
        choice = {"index": 0, **text, "finish_reason": done.finish_reason, "logprobs": None}
        return JSONResponse({**head, "choices": [choice], "usage": usage(done)})

    if is_chat:
        head["object"] = "chat.completion.chunk"
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    role = {"role": "assistant"} if is_chat else {}  # with the first piece only

    def write(item: str | Completion) -> str:
        def chunk(choices: list[dict[str, Any]], **rest: object) -> str:
            return event({**head, "choices": choices, **rest})

        first = {"index": 0, "logprobs": None}
        nothing = {"usage": None} if with_usage else {}
        if isinstance(item, str):
            new: dict[str, Any] = {"text": item}
            if is_chat:
                new = {"delta": {**role, "content": item}}
                role.clear()
            return chunk([{**first, **new, "finish_reason": None}], **nothing)
        end: dict[str, Any] = {"delta": {}} if is_chat else {"text": ""}
        last = chunk([{**first, **end, "finish_reason": item.finish_reason}], **nothing)
        if with_usage:
            last += chunk([], usage=usage(item))
        return last + event("[DONE]")

    return await respond(
        engine.stream(job),
        settings.generate_timeout,
        write,
        lambda status, message: event(problem(status, message)),
    )


def usage(done: Completion) -> dict[str, int]:
    return {
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "total_tokens": done.prompt_tokens + done.completion_tokens,
    }
