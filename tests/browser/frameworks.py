"""Pages that a framework brings: Gradio's, Streamlit's, and FastAPI's documentation."""

import re
from importlib.util import find_spec
from pathlib import Path

from playwright.sync_api import FilePayload, Route, expect

from browser.chromium import Visit
from projects import CALLER, SECRETS

TEXT = "The sea is wide. Ships cross the wide sea. A bird sings."
SUMMARY = "textarea >> nth=1"
USER, _, PASSWORD = SECRETS["LOGIN_USERS"].partition(":")
# What FastAPI's page takes from elsewhere, and nothing else may be: https://fastapi.tiangolo.com/how-to/custom-docs-ui-assets/
ELSEWHERE = {"cdn.jsdelivr.net", "fastapi.tiangolo.com"}


def gradio_login(visit: Visit, password: str) -> None:
    visit.page.get_by_label("username").fill(USER)
    visit.page.get_by_label("password").fill(password)
    visit.page.get_by_role("button", name="Login").click()


def gradio(visit: Visit) -> None:
    """A wrong password is said to be one; then a text is summarized, by a click."""
    visit.expected += ["status of 400"]
    visit.open("/")
    visit.page.get_by_label("username").wait_for()
    visit.check_names(least=3)
    gradio_login(visit, "wrong")
    expect(visit.page.get_by_text("Incorrect Credentials")).to_be_visible()
    gradio_login(visit, PASSWORD)
    visit.page.get_by_label("Text", exact=True).fill(TEXT)
    slider = visit.page.get_by_label("Sentences").first
    slider.fill("1")
    visit.page.get_by_role("button", name="Summarize").click()
    expect(visit.find(SUMMARY)).to_have_value("The sea is wide.")
    # Gradio gives the label of a field with a copy button to the button.
    visit.check_names(least=5, nameless=1)
    visit.check_narrow()
    visit.picture("gradio")


def gradio_keyboard(visit: Visit) -> None:
    """The same without a mouse."""
    visit.open("/")
    press, write = visit.page.keyboard.press, visit.page.keyboard.type
    visit.page.get_by_label("username").wait_for()
    visit.tab_to("input >> nth=0")
    write(USER)
    press("Tab")
    write(PASSWORD)
    press("Enter")
    visit.page.get_by_label("Text", exact=True).wait_for()
    visit.tab_to("textarea >> nth=0")
    write(TEXT)
    visit.tab_to("button:has-text('Summarize')")
    press("Enter")
    expect(visit.find(SUMMARY)).to_have_value(re.compile("wide sea"))


def streamlit(visit: Visit) -> None:
    """A text is typed, by keyboard alone, and its words are counted; then those of a file."""
    visit.open("/")
    visit.page.get_by_label("Text", exact=True).wait_for()
    visit.tab_to("textarea >> nth=0")
    visit.page.keyboard.type(TEXT)
    visit.page.keyboard.press("Control+Enter")
    expect(visit.page.get_by_test_id("stMetricValue").first).to_have_text("12")
    expect(visit.page.get_by_text("Paste a text")).to_have_count(0)
    visit.check_names(least=3)
    visit.check_narrow()
    visit.picture("streamlit")
    file = FilePayload(name="sea.txt", mimeType="text/plain", buffer="\ufeffThe sea, é".encode())
    visit.find("input[type=file]").set_input_files(file)
    expect(visit.page.get_by_test_id("stMetricValue").first).to_have_text("3")
    visit.page.get_by_role("button", name="Remove sea.txt").click()
    expect(visit.page.get_by_test_id("stMetricValue").first).to_have_text("12")


def documentation(visit: Visit) -> None:
    """Swagger UI, which FastAPI's page takes from another host: with a token, a documented call is tried out.

    That host is played here by a package that has the same files. Offline the page stays empty.
    """
    asked: set[str] = set()

    def play(route: Route) -> None:
        file = static() / route.request.url.rpartition("/")[2]
        asked.add(route.request.url.split("/")[2])
        route.fulfill(path=file) if file.exists() else route.abort()

    visit.page.route(re.compile("^https://"), play)
    visit.expected += ["ERR_FAILED"]
    visit.open("/docs")
    visit.page.get_by_role("button", name="Authorize").wait_for()
    visit.picture("api")  # before a token is typed: it would show
    visit.page.get_by_role("button", name="Authorize").click()
    visit.find(".auth-container input").fill(CALLER["TOKEN"])
    visit.page.get_by_role("button", name="Apply credentials").click()
    visit.page.get_by_role("button", name="Close").click()
    visit.page.get_by_role("button", name=re.compile("POST.*predict")).first.click()
    visit.page.get_by_role("button", name="Try it out").click()
    visit.page.get_by_role("button", name="Execute").click()
    expect(visit.find(".live-responses-table .response-col_status").last).to_contain_text("200")
    # Swagger UI's field for the body, and two buttons that copy.
    visit.check_names(least=10, nameless=3)
    assert asked == ELSEWHERE, asked
    hosts = {url.split("/")[2] for url in visit.elsewhere}
    assert hosts == ELSEWHERE, hosts
    visit.elsewhere.clear()


def static() -> Path:
    """Swagger UI as a package."""
    spec = find_spec("fastapi_offline")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "static"
