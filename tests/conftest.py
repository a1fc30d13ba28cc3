"""Fixtures of the template's own tests."""

import os
import signal
from pathlib import Path

import pytest

import family
import fast_copier
import slices


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--style", help="only projects of this style (a file name of styles/)")
    parser.addoption(
        "--plain",
        action="store_true",
        help="render paths and files just as Copier does, which takes longer",
    )
    parser.addoption(
        "--in-memory",
        action="store_true",
        help="temporary files in memory, where nothing is installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("in_memory"):
        family.use_memory()


def pytest_report_header() -> str:
    return f"taken: {slices.told()}"


@pytest.fixture(scope="session", autouse=True)
def isolated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.update(family.isolate(tmp_path_factory.mktemp("home")))
    # Projects install the same packages, and types of those take mypy most of its time; it knows files by their hash.
    os.environ["MYPY_CACHE_DIR"] = str(family.MYPY)
    if request.config.getoption("plain"):
        fast_copier.install_plain()
    else:
        fast_copier.install()
    # A shell starts jobs in the background with SIGINT ignored, and all that they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a release would hold it."""
    return family.export(tmp_path_factory.mktemp("template"))
