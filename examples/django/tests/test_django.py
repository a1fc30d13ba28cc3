"""What a deployment depends on beyond the routes: Django's settings, and its own errors."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from django.db import connections

from myapi import handlers, web

PROJECT = Path(__file__).parents[1]
SECRETS = {
    "DJANGO_SECRET_KEY": "test-" + "0123456789" * 5,
}


def python(*arguments: str, secrets: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment | secrets,
        capture_output=True,
        text=True,
        check=False,
    )


def test_django_finds_nothing_to_object_to() -> None:
    check = python("manage.py", "check", "--deploy", "--fail-level=WARNING", secrets=SECRETS)
    assert check.returncode == 0, check.stderr


def test_without_a_secret_key_the_application_does_not_start() -> None:
    start = "from myapi.web import create_app; create_app()"
    assert python("-c", start, secrets=SECRETS).returncode == 0
    name = "DJANGO_SECRET_KEY"
    others = {other: value for other, value in SECRETS.items() if other != name}
    for given in (others, {**others, name: "short"}):
        refused = python("-c", start, secrets=given)
        assert refused.returncode == 1
        assert name in refused.stderr


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> httpx2.WSGITransport:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return httpx2.WSGITransport(web.create_app())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "me--myapi-web.modal.run",
    ],
)
def test_its_own_names_are_answered(transport: httpx2.WSGITransport, host: str) -> None:
    assert httpx2.Client(transport=transport).get(f"http://{host}/health").status_code == 200


def test_other_names_are_not_answered(transport: httpx2.WSGITransport) -> None:
    answer = httpx2.Client(transport=transport).get("http://evil.example/health")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Bad Request"}


def test_the_paths_of_the_handlers_are_part_of_it() -> None:
    assert all(each in web.urlpatterns for each in handlers.urlpatterns)


def test_nothing_is_kept_in_a_file(transport: httpx2.WSGITransport) -> None:
    # A SQLite file would vanish with its container, and each container would have its own.
    for database in connections.settings.values():
        assert "sqlite" not in database["ENGINE"]
