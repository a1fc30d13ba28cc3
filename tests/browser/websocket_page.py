"""The page of the websocket style."""

import re
import sys

from playwright.sync_api import expect

from browser.chromium import Visit
from harden.service import PROGRAM, served
from projects import CALLER, free_port

WAITS = re.compile(r"Trying again in (\d+) s\.")
HANDSHAKE = r"WebSocket connection to .* failed"


def connect(visit: Visit, token: str = CALLER["TOKEN"]) -> None:
    visit.open("/")
    visit.find("#token").fill(token)
    visit.find("#connect").click()


def talk(visit: Visit) -> None:
    """Type, click, and the answers are there; at the end one leaves."""
    connect(visit)
    visit.expect_text("#state", "Connected.")
    for text, answer in (
        ("hello", "Echo: hello"),
        ('{"temperature": 21.5}', '{"type":"echo","message":{"temperature":21.5}}'),
        ("<b>bold</b>", "Echo: <b>bold</b>"),
    ):
        visit.find("#message").fill(text)
        visit.find("#send").click()
        visit.expect_text("#log p:last-child span", answer)
    visit.check_names(least=5)
    visit.check_narrow()
    visit.picture("websocket")
    visit.find("#leave").click()
    visit.expect_text("#state", "Not connected.")
    expect(visit.find("#send")).to_be_disabled()


def wrong_token(visit: Visit) -> None:
    """It says what is wrong, and does not try again by itself."""
    visit.expected += [HANDSHAKE, "status of 401"]
    connect(visit, "wrong")
    visit.expect_text("#state", "Not connected: refused with 401: Missing or unknown token.")
    expect(visit.find("#connect")).to_be_enabled()
    connect(visit, "spaces in it")
    visit.expect_text("#state", "Not connected: that is not a token, it has other characters.")


def keyboard(visit: Visit) -> None:
    """All of it without a mouse, and the focus is never lost."""
    visit.open("/")
    press, write = visit.page.keyboard.press, visit.page.keyboard.type
    visit.tab_to("#token")
    write(CALLER["TOKEN"])
    press("Enter")
    visit.expect_text("#state", "Connected.")
    expect(visit.find("#message")).to_be_focused()
    write("hello")
    press("Enter")
    visit.expect_text("#log p:last-child span", "Echo: hello")
    press("Shift+Tab")
    expect(visit.find("#log")).to_be_focused()  # so that it can be scrolled
    press("Shift+Tab")
    expect(visit.find("#leave")).to_be_focused()
    press("Enter")
    visit.expect_text("#state", "Not connected.")
    expect(visit.find("#connect")).to_be_focused()
    press("Enter")
    visit.expect_text("#state", "Connected.")
    expect(visit.find("#message")).to_be_focused()


def without_token(visit: Visit) -> None:
    """Where nobody is asked for one, it connects by itself."""
    visit.open("/")
    visit.expect_text("#state", "Connected.")
    expect(visit.find("#token")).to_have_count(0)
    visit.find("#message").fill("hello")
    visit.find("#send").click()
    visit.expect_text("#log p:last-child span", "Echo: hello")
    visit.check_names(least=4)


def reconnect(visit: Visit) -> None:
    """A server that goes is looked for ever less often, and found again; what was typed stays."""
    port = free_port()
    command = (sys.executable, "-c", f"import sys; sys.argv[-1] = '{port}'; {PROGRAM}")
    visit.expected += [HANDSHAKE, "ERR_CONNECTION_REFUSED"]
    visit.page.clock.install()
    with served(visit.project, command=command) as service:
        visit.service = service
        connect(visit)
        visit.expect_text("#state", "Connected.")
        visit.find("#message").fill("half a sent")
    visit.expect_text("#log p:last-child span", re.compile("closed with 1012"))
    waits: list[int] = []
    for _ in range(7):
        visit.expect_text("#state", WAITS)
        said = WAITS.search(visit.find("#state").inner_text())
        assert said
        waits.append(int(said[1]))
        if len(waits) < 7:
            visit.page.clock.run_for(waits[-1] * 1000)
    assert waits[0] <= 2, waits
    assert all(15 <= wait <= 30 for wait in waits[5:]), f"not ever less often: {waits}"
    expect(visit.find("#message")).to_have_value("half a sent")
    expect(visit.find("#message")).to_be_focused()
    with served(visit.project, command=command):
        visit.page.clock.run_for(waits[-1] * 1000)
        visit.expect_text("#state", "Connected.")
        visit.page.keyboard.type("ence")
        visit.page.keyboard.press("Enter")
        visit.expect_text("#log p:last-child span", "Echo: half a sentence")
        visit.find("#leave").click()
        visit.expect_text("#state", "Not connected.")
