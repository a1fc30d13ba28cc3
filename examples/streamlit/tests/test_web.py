"""The page, and the process that serves it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from streamlit.testing.v1 import AppTest

from myapi import handlers
from myapi.command import command
from myapi.process import Process

PAGE = Path(handlers.__file__).with_name("web.py")
TEXT = "Rain means water, and water means life."


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=30).run()


@pytest.fixture(scope="module")
def address(port: int) -> Iterator[str]:
    process = Process(command("127.0.0.1", port), "127.0.0.1", port)
    try:
        process.wait_until_ready(60)
        yield f"127.0.0.1:{port}"
    finally:
        process.stop()


def test_most_frequent() -> None:
    assert handlers.most_frequent(TEXT, 2) == {"means": 2, "water": 2}
    assert handlers.most_frequent(TEXT, 10, shortest=5) == {"means": 2, "water": 2}
    assert handlers.most_frequent("", 10) == {}


def test_reading_minutes() -> None:
    assert handlers.reading_minutes("word " * 220) == 1
    assert handlers.reading_minutes("") == 0


def test_the_page_without_a_text(page: AppTest) -> None:
    assert not page.exception
    assert page.metric[0].value == "0"
    assert page.info[0].value


def test_the_page_with_a_text(page: AppTest) -> None:
    page.text_area[0].input(TEXT).run()
    assert not page.exception
    assert [metric.value for metric in page.metric] == ["7", "0.0"]
    assert not page.info
    assert page.get("arrow_vega_lite_chart") or page.get("vega_lite_chart")
    page.slider[0].set_value(10).run()
    assert page.info[0].value


def test_the_process_answers(address: str) -> None:
    with urlopen(f"http://{address}/_stcore/health", timeout=5) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")
    with urlopen(f"http://{address}/", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")


def test_its_options() -> None:
    options = dict(
        option.removeprefix("--").split("=", 1)
        for option in command("0.0.0.0", 8000)  # noqa: S104
        if option.startswith("--")
    )
    assert (options["server.address"], options["server.port"]) == ("0.0.0.0", "8000")  # noqa: S104
    assert options["browser.gatherUsageStats"] == "false"
    # They keep strangers' pages from using a visitor's session.
    assert "false" not in (
        options.get("server.enableCORS"),
        options.get("server.enableXsrfProtection"),
    )
