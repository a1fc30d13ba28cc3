"""The part of OpenAI's API that its clients need for vectors: https://platform.openai.com/docs/api-reference/embeddings

What is not offered is refused by name, never ignored.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from . import weights
from .engine import BusyError, Engine, EngineFailedError, RefusedError
from .strict import Positive
from .vectors import as_base64, shorten


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
            except RefusedError as error:
                status, message = 400, str(error)
            except BusyError as error:
                status, message, headers = 503, str(error), {"Retry-After": "1"}
            except EngineFailedError as error:
                status, message = 500, str(error)
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


NonEmpty = Annotated[str, Field(min_length=1)]


class EmbeddingRequest(Body):
    """`user` changes nothing here."""

    model: str
    input: NonEmpty | Annotated[list[NonEmpty], Field(min_length=1, max_length=256)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Positive | None = None
    user: str | None = None

    @field_validator("input", mode="before")
    @classmethod
    def refuse_tokens(cls, value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(each, int | list) for each in value):
            raise ValueError("texts are taken, not tokens, which are another model's")
        return value


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


@router.post("/embeddings")
async def embed(body: EmbeddingRequest, request: Request) -> dict[str, Any]:
    check_model(body.model)
    engine: Engine = request.app.state.engine
    readings = await engine.read([body.input] if isinstance(body.input, str) else body.input)
    vectors = [shorten(reading.values, body.dimensions) for reading in readings]
    write = as_base64 if body.encoding_format == "base64" else list[float]
    tokens = sum(reading.tokens for reading in readings)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": write(vector)}
            for index, vector in enumerate(vectors)
        ],
        "model": weights.MODEL_ID,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
