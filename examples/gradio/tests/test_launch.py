"""The deployed object starts the server: the very code that runs when a container starts."""

import sys
from urllib.request import urlopen

import pytest

from myapi import modal_app
from myapi.process import ServerError


def test_it_starts_the_server(
    monkeypatch: pytest.MonkeyPatch, port: int, server: list[str]
) -> None:
    monkeypatch.setattr(modal_app, "PORT", port)
    monkeypatch.setattr(modal_app, "command", lambda host, port: server)
    deployed = modal_app.Server()
    try:
        deployed.web.local()
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert answer.status == 200
    finally:
        deployed.process.stop()


def test_a_crash_at_the_start_is_an_error(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(modal_app, "PORT", port)
    monkeypatch.setattr(
        modal_app, "command", lambda host, port: [sys.executable, "-c", "raise SystemExit(3)"]
    )
    with pytest.raises(ServerError, match="exited with code 3"):
        modal_app.Server().web.local()
