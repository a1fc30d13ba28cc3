"""What all tests share. Those of handlers.py, which are yours, need `client` and nothing else of it."""

import pytest
from fastapi.testclient import TestClient

from myapi.web import create_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client that may connect to the application that is deployed."""
    # Where no answer comes, a test fails and does not wait.
    monkeypatch.setenv("IDLE_SECONDS", "3")
    token = "test-" + "0" * 32
    monkeypatch.setenv("API_TOKENS", f"tests:{token}")
    return TestClient(create_app(), headers={"Authorization": f"Bearer {token}"})
