"""The deployed object starts the server: the very code that runs when a container starts."""

import sys
from contextlib import closing
from http.client import HTTPConnection

import pytest

from myapi import modal_app
from myapi.process import ServerError


def test_the_server_that_it_starts_answers(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(modal_app, "PORT", port)  # its own may be taken here
    deployed = modal_app.Server()
    try:
        deployed.web.local()
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
        assert answer.status < 500
    finally:
        if deployed.process:  # there is none where its program is not installed
            deployed.process.stop()


def test_a_crash_at_the_start_is_an_error(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(modal_app, "PORT", port)
    monkeypatch.setattr(
        modal_app, "command", lambda host, port: [sys.executable, "-c", "raise SystemExit(3)"]
    )
    with pytest.raises(ServerError, match="exited with code 3"):
        modal_app.Server().web.local()
