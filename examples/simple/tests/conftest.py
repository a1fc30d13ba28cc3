"""What all tests share. Those of handlers.py, which are yours, need `client` and nothing else of it."""

import pytest
from fastapi.testclient import TestClient

from myapi.web import create_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client that may call the endpoint."""
    return TestClient(create_app())
