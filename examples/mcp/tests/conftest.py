"""What all tests share. Those of handlers.py, which are yours, need `anyio_backend` and nothing else of it."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from myapi import modal_app


@pytest.fixture
def anyio_backend() -> str:
    """Under what `@pytest.mark.anyio` runs a test: https://anyio.readthedocs.io/en/stable/testing.html"""
    return "asyncio"


@pytest.fixture
def caller() -> dict[str, str]:
    """The headers of one who may call."""
    return {}


@pytest.fixture
def client(caller: dict[str, str]) -> Iterator[TestClient]:
    """A client that may call the application that is deployed."""
    with TestClient(modal_app.web.local(), headers=caller) as client:
        yield client
