"""Every page of a rendered project, and what people do there."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import family
from browser import conftest, frameworks, playground, websocket_page
from browser.chromium import Visit, visiting
from harden.service import served

Journey = Callable[[Visit], None]
SLOW = (sys.executable, str(Path(__file__).with_name("slow_model.py")))
JOURNEYS: list[tuple[family.Answers, Journey]] = [
    *(
        ({"style": "websocket", "auth": "bearer"}, journey)
        for journey in (
            websocket_page.talk,
            websocket_page.wrong_token,
            websocket_page.keyboard,
            websocket_page.reconnect,
        )
    ),
    ({"style": "websocket", "auth": "proxy"}, websocket_page.without_token),
    *(
        ({"style": "inference", "auth": "bearer"}, journey)
        for journey in (
            playground.answer,
            playground.settings,
            playground.stop,
            playground.failures,
            playground.unreachable,
            playground.keyboard,
            playground.read_aloud,
            playground.dark,
        )
    ),
    ({"style": "inference", "auth": "proxy"}, playground.without_token),
    ({"style": "server", "server_app": "gradio", "auth": "login"}, frameworks.gradio),
    ({"style": "server", "server_app": "gradio", "auth": "login"}, frameworks.gradio_keyboard),
    ({"style": "server", "server_app": "streamlit", "auth": "none"}, frameworks.streamlit),
    ({"style": "api", "auth": "bearer"}, frameworks.documentation),
]


def identify(value: object) -> str:
    return family.identify(value) if isinstance(value, dict) else getattr(value, "__name__", "")


def go(browser: Browser, project: Path, journey: Journey, pictures: Path | None = None) -> None:
    """Serve the project, and let somebody make this journey."""
    is_model = (project / "src" / family.NAME / "echo.py").exists()
    environment = {"SECONDS_FOR_A_WORD": str(playground.SECONDS)}
    with (
        served(project, command=SLOW if is_model else (), **environment) as service,
        visiting(browser, service, project, pictures) as visit,
    ):
        journey(visit)
        conftest.controls |= visit.controls


@pytest.mark.parametrize(("answers", "journey"), JOURNEYS, ids=identify)
def test_page(
    browser: Browser,
    make_project: conftest.MakeProject,
    pictures: Path | None,
    answers: family.Answers,
    journey: Journey,
) -> None:
    go(browser, make_project(answers), journey, pictures)


def test_every_style_with_a_page_is_visited() -> None:
    check_visited([family.kind(answers) for answers, _ in JOURNEYS])
    for kind in ("websocket", "inference", "gradio", "streamlit"):
        with pytest.raises(AssertionError, match=kind):
            check_visited([family.kind(a) for a, _ in JOURNEYS if family.kind(a) != kind])


def check_visited(seen: list[str]) -> None:
    pages = {
        family.kind(answers)
        for answers in family.styles()
        if "page" in family.known(answers)["facts"]
        or family.kind(answers) in ("gradio", "streamlit")
    }
    assert len(pages) >= 4
    assert not pages - set(seen), f"not visited: {pages - set(seen)}"
