"""The application around the page, over HTTP, with a page of the tests' own in the place of the handlers'."""

import os
import sys
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client

from myapi.process import Process
from myapi.web import create_app

PROGRAM = """
import gradio as gr
from myapi import handlers, web

def echo(text: str) -> str:
    return text

def page() -> None:
    text = gr.Textbox()
    gr.Button("Echo").click(echo, text, gr.Textbox(), api_name="echo")

handlers.page = page
web.main()
"""
USER = ("ann", "test-" + "0" * 16)


@pytest.fixture(scope="module")
def url(port: int) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LOGIN_USERS", ":".join(USER))
        process = Process([sys.executable, "-c", PROGRAM], "127.0.0.1", port)
    try:
        process.wait_until_ready(60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


@pytest.fixture(scope="module")
def browser(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        user, password = USER
        answer = client.post("/login", data={"username": user, "password": password})
        assert answer.status_code == 200
        yield client


def test_the_page(browser: httpx.Client) -> None:
    page = browser.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    config = browser.get("/config").json()
    assert "Echo" in [part["props"].get("value") for part in config["components"]]
    assert not config["analytics_enabled"]


def test_a_program_can_call_it(url: str) -> None:
    client = Client(url, auth=USER, verbose=False)
    assert client.predict("one", api_name="/echo") == "one"
    client.close()


def test_nobody_passes_by_the_queue(browser: httpx.Client) -> None:
    assert browser.post("/gradio_api/run/echo", json={"data": ["one"]}).status_code == 404


def test_a_large_upload_is_refused(browser: httpx.Client) -> None:
    large = {"files": ("large.bin", b" " * 21_000_000)}
    assert browser.post("/gradio_api/upload", files=large).status_code == 413


def test_urls_are_https_where_modal_ends_the_tls(browser: httpx.Client) -> None:
    there = {"Host": "ann--app.modal.run", "X-Forwarded-For": "203.0.113.7"}
    assert browser.get("/config", headers=there).json()["root"] == "https://ann--app.modal.run"
    assert browser.get("/config").json()["root"].startswith("http://127.0.0.1:")


def test_health_is_open(url: str) -> None:
    assert httpx.get(f"{url}/health").json() == {"status": "healthy"}
    # What it tells of its visitors is for nobody.
    assert httpx.get(f"{url}/monitoring/summary").status_code in {401, 403}


def test_strangers_see_the_login_and_nothing_else(url: str) -> None:
    with httpx.Client(base_url=url) as stranger:
        page = stranger.get("/").text
        assert '"auth_required":true' in page
        assert '"components":[]' in page
        for path in ("/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=a"):
            assert stranger.get(path).status_code == 401, path
        event = {"data": ["one"], "fn_index": 0, "session_hash": "a"}
        for path in ("/gradio_api/queue/join", "/gradio_api/call/echo", "/gradio_api/upload"):
            assert stranger.post(path, json=event).status_code == 401, path
        wrong = stranger.post("/login", data={"username": "ann", "password": "0" * 16})
        assert wrong.status_code == 400
        assert not wrong.cookies


def test_without_users_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGIN_USERS", raising=False)
    with pytest.raises(RuntimeError, match="LOGIN_USERS"):
        create_app()
    assert "LOGIN_USERS" not in os.environ
