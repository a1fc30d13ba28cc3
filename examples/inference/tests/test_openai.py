"""The /v1 routes, called by OpenAI's own client over HTTP."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from openai import AsyncOpenAI, OpenAI

from myapi import weights
from myapi.echo import EchoEngine
from myapi.engine import (
    BusyError,
    Completion,
    Engine,
    EngineFailedError,
    Job,
    Message,
    PromptRefusedError,
)

Serve = Callable[[Engine], tuple[str, str]]
Create = Callable[..., Any]
MODEL = weights.MODEL_ID


class Recorder(EchoEngine):
    """An echo that notes what it was asked."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def generate(self, job: Job) -> Completion:
        self.jobs.append(job)
        return await super().generate(job)


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
def client(serve: Serve, engine: Recorder) -> OpenAI:
    return connect(serve, engine)


def connect(serve: Serve, engine: Engine) -> OpenAI:
    url, token = serve(engine)
    return OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0)


@pytest.fixture(params=["sync", "async"])
def create(request: pytest.FixtureRequest, client: OpenAI) -> Create:
    """Ask for a chat completion by either client; a stream comes as a list."""

    def wait(**options: Any) -> Any:
        answer = client.chat.completions.create(**options)
        return list(answer) if options.get("stream") else answer

    async def do(**options: Any) -> Any:
        settings = {"base_url": client.base_url, "api_key": client.api_key, "max_retries": 0}
        async with AsyncOpenAI(**settings) as other:
            answer = await other.chat.completions.create(**options)
            return [item async for item in answer] if options.get("stream") else answer

    return wait if request.param == "sync" else lambda **options: asyncio.run(do(**options))


def ask(text: str, **options: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **options}


def test_the_model_is_listed(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == MODEL
    assert model.owned_by == MODEL.split("/")[0]
    assert client.models.retrieve(MODEL) == model
    with pytest.raises(openai.NotFoundError, match="There is no model"):
        client.models.retrieve("another/model")


def test_chat(create: Create, engine: Recorder) -> None:
    done = create(**ask("a b", max_completion_tokens=3, temperature=0, seed=7))
    assert done.object == "chat.completion"
    assert done.id.startswith("chatcmpl-")
    assert done.model == MODEL
    assert done.created > 1_700_000_000
    (choice,) = done.choices
    assert (choice.index, choice.finish_reason) == (0, "length")
    assert (choice.message.role, choice.message.content) == ("assistant", " a b a")
    used = done.usage
    assert (used.prompt_tokens, used.completion_tokens, used.total_tokens) == (2, 3, 5)
    assert engine.jobs == [
        Job(prompt="a b", max_new_tokens=3, temperature=0, seed=7, is_chat=True),
    ]


def test_chat_in_pieces(create: Create) -> None:
    options = {"include_usage": True}
    *pieces, end, used = create(**ask("a é😀", max_tokens=2, stream=True, stream_options=options))
    assert [piece.choices[0].delta.content for piece in pieces] == [" a", " é😀"]
    assert [piece.choices[0].delta.role for piece in pieces] == ["assistant", None]
    assert {item.object for item in (*pieces, end, used)} == {"chat.completion.chunk"}
    assert len({item.id for item in (*pieces, end, used)}) == 1
    assert [piece.choices[0].finish_reason for piece in pieces] == [None, None]
    assert end.choices[0].finish_reason == "length"
    assert not end.choices[0].delta.content
    assert used.choices == []
    assert used.usage.total_tokens == 4
    assert pieces[0].usage is None
    # Usage only for those who ask.
    whole = create(**ask("a é😀", max_tokens=2, stream=True))
    assert [item.usage for item in whole] == [None] * 3


def test_completions(client: OpenAI, engine: Recorder) -> None:
    done = client.completions.create(model=MODEL, prompt="a b c", stop="c", temperature=0.5)
    assert (done.object, done.choices[0].text) == ("text_completion", " a b ")
    assert done.choices[0].finish_reason == "stop"
    assert done.usage
    assert done.usage.completion_tokens == 3
    assert engine.jobs == [
        Job(prompt="a b c", max_new_tokens=16, temperature=0.5, stop=("c",)),
    ]
    one = client.completions.create(model=MODEL, prompt=["a"], max_tokens=1)
    assert one.choices[0].text == " a"
    with pytest.raises(openai.BadRequestError, match="prompt"):
        client.completions.create(model=MODEL, prompt=["a", "b"])
    *pieces, end = client.completions.create(model=MODEL, prompt="a", max_tokens=2, stream=True)
    assert [piece.choices[0].text for piece in pieces] == [" a", " a"]
    assert end.choices[0].finish_reason == "length"


def test_what_is_said_reaches_the_engine(client: OpenAI, engine: Recorder) -> None:
    client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief"},
            {"role": "assistant", "content": "Hello"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}],
            },
        ],
        stop=["x", "y"],
        top_p=0.5,
        seed=1,
        n=1,
        frequency_penalty=0,
        logprobs=False,
        response_format={"type": "text"},
        user="somebody",
        extra_body={"tools": None, "max_tokens": None},
    )
    (job,) = engine.jobs
    assert job == Job(prompt="a b", temperature=1, top_p=0.5, stop=("x", "y"), seed=1, is_chat=True)


def test_roles_have_the_names_that_models_know(serve: Serve) -> None:
    heard: list[Message] = []

    class Listener(EchoEngine):
        def chat(self, messages: Sequence[Message]) -> str:
            heard.extend(messages)
            return super().chat(messages)

    messages = [{"role": "developer", "content": "Be brief"}, {"role": "user", "content": "a"}]
    connect(serve, Listener()).chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]
    assert heard == [Message("system", "Be brief"), Message("user", "a")]


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"n": 2}, "n"),
        ({"temperature": 2.1}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["x"] * 5}, "stop"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": []}, "tools"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(
    client: OpenAI, options: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{**ask("a"), **options})
    error = caught.value
    assert error.type == "invalid_request_error"
    assert error.param
    assert error.param.startswith(parameter)
    assert error.body
    assert parameter.split(".")[0] in error.message


def test_another_model_is_not_here(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(**{**ask("a"), "model": "gpt-4o"})
    assert caught.value.code == "model_not_found"
    assert MODEL in caught.value.message


class Failing(EchoEngine):
    def __init__(self, error: Exception, *, late: bool) -> None:
        self.error = error
        self.late = late

    async def generate(self, job: Job) -> Completion:
        raise self.error

    async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        if self.late:
            yield "one"
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (PromptRefusedError("The prompt has 9 tokens"), 400, "The prompt has 9 tokens"),
        (BusyError("Too many wait"), 503, "Too many wait"),
        (EngineFailedError("The model failed"), 500, "The model failed"),
        (TimeoutError(), 504, "No answer within 120 seconds"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_their_status_and_openais_shape(
    serve: Serve, error: Exception, status: int, message: str, stream: bool
) -> None:
    client = connect(serve, Failing(error, late=False))
    with pytest.raises(openai.APIStatusError, match=message) as caught:
        client.chat.completions.create(**ask("a", stream=stream))
    assert caught.value.status_code == status
    assert caught.value.type == ("server_error" if status >= 500 else "invalid_request_error")
    assert ("Retry-After" in caught.value.response.headers) == (status == 503)


@pytest.mark.parametrize("error", [EngineFailedError("The model failed"), RuntimeError("a secret")])
def test_an_error_in_the_middle_of_a_stream_reaches_the_client(
    serve: Serve, error: Exception
) -> None:
    client = connect(serve, Failing(error, late=True))
    pieces = iter(client.chat.completions.create(**ask("a", stream=True)))
    assert next(pieces).choices[0].delta.content == "one"
    with pytest.raises(openai.APIError, match=r"^(The model failed|Internal server error)$"):
        next(pieces)


class Slow(EchoEngine):
    def __init__(self) -> None:
        self.given_up = 0

    async def generate(self, job: Job) -> Completion:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return await super().generate(job)

    async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        yield "one"
        yield await self.generate(job)


@pytest.mark.parametrize("stream", [False, True])
def test_what_takes_too_long_is_given_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setenv("GENERATE_TIMEOUT", "0.1")
    engine = Slow()
    client = connect(serve, engine)
    with pytest.raises(openai.APIError, match=r"No answer within 0\.1 seconds"):
        list(client.chat.completions.create(**ask("a", stream=stream)))
    assert engine.given_up == 1


def test_who_hangs_up_is_not_worked_for(serve: Serve) -> None:
    engine = Slow()
    client = connect(serve, engine)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(**ask("a"))
    stream = client.chat.completions.create(**ask("a", stream=True))
    assert next(iter(stream)).choices[0].delta.content == "one"
    stream.close()
    until = time.monotonic() + 5
    while engine.given_up < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert engine.given_up == 2


def test_prompts_are_not_logged(client: OpenAI, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="myapi")
    client.chat.completions.create(**ask("my secret"))
    assert "secret" not in caplog.text


def test_what_is_documented_is_what_openais_client_asks_for(
    make_client: Callable[[Engine], TestClient],
) -> None:
    paths = make_client(EchoEngine()).get("/openapi.json").json()["paths"]
    assert {path for path in paths if path.startswith("/v1")} == {
        "/v1/models",
        "/v1/models/{name}",
        "/v1/completions",
        "/v1/chat/completions",
    }
