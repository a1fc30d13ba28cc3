"""The function of handlers.py. Yours, like the code it tests."""

import pytest
from fastapi.testclient import TestClient


def test_hello(client: TestClient) -> None:
    assert client.get("/").json() == {"message": "Hello, World!"}
    assert client.get("/", params={"name": "Ann"}).json() == {"message": "Hello, Ann!"}


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_bad_name_is_refused_with_a_reason(client: TestClient, name: str) -> None:
    answer = client.get("/", params={"name": name})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_the_name_is_documented(client: TestClient) -> None:
    (parameter,) = client.get("/openapi.json").json()["paths"]["/"]["get"]["parameters"]
    assert parameter["name"] == "name"
