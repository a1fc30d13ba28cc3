"""The page, and what it works out. Yours, like the code it tests."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from myapi import handlers

PAGE = Path(handlers.__file__).with_name("web.py")
TEXT = "Rain means water, and water means life."


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=30).run()


def test_most_frequent() -> None:
    assert handlers.most_frequent(TEXT, 2) == {"means": 2, "water": 2}
    assert handlers.most_frequent(TEXT, 10, shortest=5) == {"means": 2, "water": 2}
    assert handlers.most_frequent("", 10) == {}


def test_decode() -> None:
    assert handlers.decode("\ufeffécole".encode()) == "école"
    assert handlers.decode("école".encode("latin-1")) == "\ufffdcole"


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


def test_the_page_with_a_file(page: AppTest) -> None:
    page.file_uploader[0].set_value(("rain.txt", TEXT.encode(), "text/plain")).run()
    assert not page.exception
    assert [metric.value for metric in page.metric] == ["7", "0.0"]
