"""Fixtures of the template's own tests."""

import os
import signal
from pathlib import Path

import pytest

import family


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--style", help="only projects of this style (a file name of styles/)")


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.update(family.isolate(tmp_path_factory.mktemp("home")))
    # Projects install the same packages, and types of those take mypy most of its time; it knows files by their hash.
    os.environ["MYPY_CACHE_DIR"] = str(tmp_path_factory.mktemp("mypy"))
    # A shell starts jobs in the background with SIGINT ignored, and all that they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a release would hold it."""
    return family.export(tmp_path_factory.mktemp("template"))
