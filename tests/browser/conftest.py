"""One browser for all tests, and projects that are rendered once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

import family
from browser import chromium

PICTURES = family.ROOT / "docs" / "images"
MakeProject = Callable[[family.Answers], Path]
controls: set[str] = set()  # all that were looked at


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="take the pictures in docs/images")


def pytest_configure() -> None:
    """Without a browser nothing is run, and nothing left out."""
    try:
        chromium.find()
    except chromium.MissingBrowserError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def make_project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeProject:
    """Render a project, once for these answers."""
    made: dict[str, Path] = {}

    def make(answers: family.Answers) -> Path:
        key = family.identify(answers)
        if key not in made:
            made[key] = family.render(template, tmp_path_factory.mktemp("project"), answers)
        return made[key]

    return make


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    if not request.config.getoption("--write"):
        return None
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it has looked at."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["controls"] = sorted(controls)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    controls.update(node.workeroutput["controls"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.line(f"{len(controls)} distinct controls have a name")
