"""What all tests share. Those of handlers.py, which are yours, need `client` and nothing else of it."""

import pytest
from fastapi.testclient import TestClient

from myapi import modal_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client that may call the application that is deployed."""
    return TestClient(modal_app.web.local())
