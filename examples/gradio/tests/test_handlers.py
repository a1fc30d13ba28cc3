"""The page of handlers.py, and what it does. Yours, like the code it tests."""

from collections.abc import Iterator

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from myapi import handlers
from myapi.command import command
from myapi.process import Process

TEXT = "It rains. Rain means water, and water means life."


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[Client]:
    user = ("ann", "test-" + "0" * 16)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LOGIN_USERS", ":".join(user))
        process = Process(command("127.0.0.1", port), "127.0.0.1", port)
    try:
        process.wait_until_ready(60)
        client = Client(f"http://127.0.0.1:{port}", auth=user, verbose=False)
        yield client
        client.close()
    finally:
        process.stop()


def test_summarize() -> None:
    assert handlers.summarize(TEXT, 1) == "Rain means water, and water means life."
    assert handlers.summarize(TEXT, 5) == TEXT
    assert handlers.summarize("Life is life. " * 3, 2) == "Life is life. Life is life."
    assert handlers.summarize("", 3) == ""
    with pytest.raises(gr.Error, match="50,000"):
        handlers.summarize("x" * 50_001, 1)


def test_the_page(client: Client) -> None:
    parts = client.config["components"]
    assert "Summarize" in [part["props"].get("value") for part in parts]


def test_a_program_can_call_it(client: Client) -> None:
    result = client.predict(TEXT, 1, api_name="/summarize")
    assert result == "Rain means water, and water means life."
    for text, sentences in (("x" * 50_001, 1), (TEXT, 99)):
        with pytest.raises(AppError):
            client.predict(text, sentences, api_name="/summarize")
