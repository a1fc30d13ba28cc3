"""Pages broken in one way each. A journey that comes to its end on one of them checks nothing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import playwright.sync_api
import pytest
from playwright.sync_api import Browser, expect

import family
from browser import chromium, conftest, frameworks, playground, websocket_page
from browser.test_pages import Journey, go
from harden.service import edit

WEBSOCKET = {"style": "websocket", "auth": "bearer"}
INFERENCE = {"style": "inference", "auth": "bearer"}
STREAMLIT = {"style": "server", "server_app": "streamlit", "auth": "none"}
PAGE, POLICY = "page.html", "page.py"
SCRIPT = '"use strict";\n'
BOX = "* { box-sizing: border-box; }"
WIDE = BOX + " form { min-width: 25rem; }"

Edit = tuple[str, str, str]
Mutant = tuple[family.Answers, Journey, str, list[Edit]]

# What is broken: answers, the journey that must not succeed, what it says, and (file, text in it, text instead).
MUTANTS: dict[str, Mutant] = {
    "a file that nobody reads": (
        STREAMLIT,
        frameworks.streamlit,
        "to have text '3'",
        [("web.py", "handlers.decode(file.getvalue()) if file else typed", "typed")],
    ),
    "a message without a label": (
        WEBSOCKET,
        websocket_page.talk,
        "without a name",
        [(PAGE, "<label>Message <input", "<label><input")],
    ),
    "a refusal that nobody sees": (
        WEBSOCKET,
        websocket_page.wrong_token,
        "Missing or unknown token",
        [(PAGE, 'else show("Not connected: " + end.text + ".");', "")],
    ),
    "a refused token is tried again and again": (
        WEBSOCKET,
        websocket_page.wrong_token,
        "Trying again",
        [(PAGE, "again: answer.status >= 500", "again: true")],
    ),
    "a script of another host": (
        WEBSOCKET,
        websocket_page.talk,
        "other hosts",
        [(PAGE, "<script>", '<script src="https://cdn.example.com/x.js"></script>\n<script>')],
    ),
    "a picture of another host": (
        WEBSOCKET,
        websocket_page.talk,
        "other hosts",
        [
            (PAGE, SCRIPT, SCRIPT + 'new Image().src = "https://cdn.example.com/x.png";\n'),
            (POLICY, "img-src data:", "img-src *"),
        ],
    ),
    "too wide for a small phone": (
        WEBSOCKET,
        websocket_page.talk,
        "pixels wide",
        [(PAGE, BOX, WIDE)],
    ),
    "no second try": (
        WEBSOCKET,
        websocket_page.reconnect,
        "not ever less often",
        [(PAGE, "timer = setTimeout(connect, seconds * 1000);", "")],
    ),
    "as many tries as possible": (
        WEBSOCKET,
        websocket_page.reconnect,
        "not ever less often",
        [(PAGE, "2 ** failures", "2")],
    ),
    "what is typed cannot be reached while it connects": (
        WEBSOCKET,
        websocket_page.reconnect,
        "focused",
        [
            (
                PAGE,
                '$("send").disabled = !open;',
                '$("send").disabled = $("message").disabled = !open;',
            )
        ],
    ),
    "the focus is lost with the button": (
        WEBSOCKET,
        websocket_page.keyboard,
        "focused",
        [(PAGE, "if (held) after.focus();", "")],
    ),
    "a prompt without a label": (
        INFERENCE,
        playground.answer,
        "without a name",
        [(PAGE, "<label>Prompt <textarea", "<label><textarea")],
    ),
    "all at the end": (
        INFERENCE,
        playground.answer,
        "The sea is",
        [(PAGE, "line.append(piece);", "setTimeout(() => line.append(piece), 3000);")],
    ),
    "figures from nowhere": (
        INFERENCE,
        playground.answer,
        "10 tokens in",
        [(PAGE, "`${answer.tokens} tokens in", "`10 tokens in")],
    ),
    "a conversation that forgets": (
        INFERENCE,
        playground.answer,
        "forgotten",
        [(PAGE, "...system(), ...turns, question", "...system(), question")],
    ),
    "a setting that is not sent": (
        INFERENCE,
        playground.settings,
        "top_p",
        [(PAGE, '    top_p: $("top_p").valueAsNumber,\n', "")],
    ),
    "a mistake where nobody looks": (
        INFERENCE,
        playground.settings,
        "focused",
        [(PAGE, '() => ($("settings").open = true)', "() => {}")],
    ),
    "settings too wide for a small phone": (
        INFERENCE,
        playground.settings,
        "pixels wide",
        [(PAGE, BOX, WIDE)],
    ),
    "a dead stop button": (
        INFERENCE,
        playground.stop,
        "Stopped",
        [(PAGE, '$("stop").onclick = stop;', "")],
    ),
    "a dead Escape": (INFERENCE, playground.stop, "Stopped", [(PAGE, '"Escape"', '"F9"')]),
    "a stop of which the server learns nothing": (
        INFERENCE,
        playground.stop,
        "an answer for nobody",
        [
            (PAGE, "signal: running.signal, ", ""),
            (
                PAGE,
                "await reach(reader.read());",
                "await reach(reader.read());\n    if (running.signal.aborted) for (;;) if ((await reader.read()).done) throw 0;",
            ),
            (PAGE, "  running?.abort();", '  running?.abort();\n  end("Stopped.");'),
        ],
    ),
    "a wrong token without a word": (
        INFERENCE,
        playground.failures,
        "Missing or unknown token",
        [(PAGE, 'said?.error?.message ?? "no reason given"', '"no"')],
    ),
    "when to come again is not said": (
        INFERENCE,
        playground.failures,
        "Try again in 1 s",
        [(PAGE, "}.${again}`;", "}.`;")],
    ),
    "an error in the stream is passed over": (
        INFERENCE,
        playground.failures,
        "The model broke",
        [(PAGE, "if (event.error) throw", "if (event.error) return;\n  if (event.error) throw")],
    ),
    "half an answer taken for a whole one": (
        INFERENCE,
        playground.unreachable,
        "the connection broke",
        [(PAGE, "if (done) throw", "if (done) return;\n    if (done) throw")],
    ),
    "the focus of the playground is lost": (
        INFERENCE,
        playground.keyboard,
        "focused",
        [(PAGE, "if (held) after.focus();", "")],
    ),
    "each token is read aloud": (
        INFERENCE,
        playground.read_aloud,
        "pieces",
        [(PAGE, "SPEAK_EVERY = 3000;", "SPEAK_EVERY = 0;")],
    ),
    "the log is read aloud too": (
        INFERENCE,
        playground.read_aloud,
        "a log reads each token aloud",
        [(PAGE, 'role="region"', 'role="log"')],
    ),
    "light only": (
        INFERENCE,
        playground.dark,
        "rgb",
        [(PAGE, "color-scheme: light dark", "color-scheme: light")],
    ),
}


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """What does not come is not waited for as long as where it should come."""
    expect.set_options(timeout=3000)
    yield
    expect.set_options(timeout=chromium.SECONDS * 1000)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_page_is_noticed(
    browser: Browser, make_project: conftest.MakeProject, tmp_path: Path, name: str
) -> None:
    answers, journey, said, edits = MUTANTS[name]
    project = tmp_path / family.NAME
    shutil.copytree(make_project(answers), project)
    for file, old, new in edits:
        edit(project / "src" / family.NAME / file, old, new)
    with pytest.raises((AssertionError, playwright.sync_api.Error)) as error:
        go(browser, project, journey)
    assert re.search(said, str(error.value)), error.value
