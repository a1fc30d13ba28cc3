"""The endpoint that is deployed, called as its clients call it."""

import pytest
from fastapi.testclient import TestClient

from myapi import handlers, modal_app


def probe(number: int = 1) -> dict[str, int]:
    return {"number": number}


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of these tests in place of yours, which may be any."""
    monkeypatch.setattr(handlers, "hello", probe)


def test_the_function_of_handlers_answers(client: TestClient) -> None:
    assert client.get("/").json() == {"number": 1}
    assert client.get("/", params={"number": 2}).json() == {"number": 2}
    bad = client.get("/", params={"number": "x"})
    assert bad.status_code == 422
    assert bad.json()["detail"]


def test_modal_serves_the_same_handler() -> None:
    web = modal_app.web
    assert web.info().web_info.method == "GET"
    answer = object()
    assert web.local(answer) is answer


def test_it_is_documented(client: TestClient) -> None:
    (parameter,) = client.get("/openapi.json").json()["paths"]["/"]["get"]["parameters"]
    assert parameter["name"] == "number"


def test_other_routes_and_methods_are_refused(client: TestClient) -> None:
    assert client.get("/nowhere").status_code == 404
    assert client.post("/").status_code == 405
