"""The /v1 routes, called by OpenAI's own client."""

import math
from array import array
from base64 import b64decode
from collections.abc import Callable, Sequence

import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from myapi import weights
from myapi.echo import EchoEngine
from myapi.engine import (
    BusyError,
    Engine,
    EngineFailedError,
    Reading,
    RefusedError,
    Text,
)

MakeClient = Callable[[Engine], TestClient]
MODEL = weights.MODEL_ID


def connect(http: TestClient) -> OpenAI:
    """OpenAI's client, over the application itself."""
    token = http.headers.get("Authorization", "").removeprefix("Bearer ")
    return OpenAI(
        base_url="http://testserver/v1",
        api_key=token or "unused",
        max_retries=0,
        http_client=http,  # type: ignore[arg-type]
    )


@pytest.fixture
def openai_client(client: TestClient) -> OpenAI:
    return connect(client)


def test_the_model_is_listed(openai_client: OpenAI) -> None:
    (model,) = openai_client.models.list().data
    assert model.id == MODEL
    assert openai_client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("another")


def test_vectors_are_those_of_the_other_route(openai_client: OpenAI, client: TestClient) -> None:
    texts = ["The sea", "is wide"]
    own = client.post("/embed", json={"texts": texts}).json()
    # Without a format the client asks for base64, and reads it.
    for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        answer = openai_client.embeddings.create(model=MODEL, input=texts, **options)  # type: ignore[arg-type]
        assert [each.index for each in answer.data] == [0, 1]
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == own["tokens"]
        for each, vector in zip(answer.data, own["vectors"], strict=True):
            found = each.embedding
            if isinstance(found, str):  # asked for by name it is left as it is
                found = list(array("f", b64decode(found)))
            assert found == pytest.approx(vector, abs=1e-6)


def test_one_text_is_enough(openai_client: OpenAI) -> None:
    (one,) = openai_client.embeddings.create(model=MODEL, input="The sea").data
    assert math.hypot(*one.embedding) == pytest.approx(1)


def test_fewer_dimensions(openai_client: OpenAI) -> None:
    (one,) = openai_client.embeddings.create(model=MODEL, input="The sea", dimensions=3).data
    assert len(one.embedding) == 3
    assert math.hypot(*one.embedding) == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2]]}, "input"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "x", "truncate": True}, "truncate"),
        ({}, "input"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(
    client: TestClient, body: dict[str, object], parameter: str
) -> None:
    answer = client.post("/v1/embeddings", json={"model": MODEL, **body})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith(parameter)
    assert error["message"]


def test_tokens_are_refused_with_the_reason(openai_client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="texts are taken, not tokens"):
        openai_client.embeddings.create(model=MODEL, input=[[1, 2], [3]])


def test_nothing_is_as_good_as_null(client: TestClient) -> None:
    body = {"model": MODEL, "input": "x", "dimensions": None, "user": None, "tools": None}
    assert client.post("/v1/embeddings", json=body).status_code == 200


def test_another_model_and_too_many_dimensions(openai_client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="another"):
        openai_client.embeddings.create(model="another", input="x")
    with pytest.raises(openai.BadRequestError, match="at most 8 are there"):
        openai_client.embeddings.create(model=MODEL, input="x", dimensions=9)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RefusedError("why"), openai.BadRequestError),
        (BusyError("why"), openai.InternalServerError),
        (EngineFailedError("why"), openai.InternalServerError),
    ],
)
def test_what_an_engine_says_is_said_in_openais_shape(
    make_client: MakeClient, error: Exception, kind: type[openai.APIStatusError]
) -> None:
    class Failing(EchoEngine):
        async def read(self, texts: Sequence[Text]) -> list[Reading]:
            raise error

    with pytest.raises(kind, match="why") as failure:
        connect(make_client(Failing())).embeddings.create(model=MODEL, input="x")
    assert ("Retry-After" in failure.value.response.headers) == isinstance(error, BusyError)


def test_unknown_routes_and_methods_have_that_shape_too(client: TestClient) -> None:
    for answer in (client.get("/v1/nothing"), client.get("/v1/embeddings")):
        assert answer.status_code in {404, 405}
        assert answer.json()["error"]["message"]
