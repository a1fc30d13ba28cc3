"""The endpoint that is deployed, called as its clients call it."""

import pytest
from fastapi.testclient import TestClient

from myapi import modal_app
from myapi.handlers import Greeting
from myapi.web import create_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    return TestClient(create_app())


def test_hello(client: TestClient) -> None:
    assert client.get("/").json() == {"message": "Hello, World!"}
    assert client.get("/", params={"name": "Ann"}).json() == {"message": "Hello, Ann!"}


def test_modal_serves_the_same_handler() -> None:
    web = modal_app.web
    assert web.info().web_info.method == "GET"
    greeting = Greeting(message="Hello")
    assert web.local(greeting) == greeting


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_bad_name_is_refused_with_a_reason(client: TestClient, name: str) -> None:
    answer = client.get("/", params={"name": name})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_it_is_documented(client: TestClient) -> None:
    (parameter,) = client.get("/openapi.json").json()["paths"]["/"]["get"]["parameters"]
    assert parameter["name"] == "name"


def test_other_routes_and_methods_are_refused(client: TestClient) -> None:
    assert client.get("/nowhere").status_code == 404
    assert client.post("/").status_code == 405
