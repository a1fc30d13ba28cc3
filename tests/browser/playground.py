"""The page of the inference style, on a model that takes a moment for each word."""

import json
import re
import time
from typing import Any

from playwright.sync_api import expect

from browser.chromium import Visit
from projects import CALLER

SECONDS = 0.05  # that the model takes for a word

REPORT = re.compile(
    r"\d+ tokens in \d+\.\d\d s, the first after \d+\.\d\d s, then \d+\.\d tokens/s"
)
FAILED = re.compile("^Not answered")
LONG = " ".join(f"word{number}" for number in range(100))


def prepare(visit: Visit, prompt: str, token: str = CALLER["TOKEN"]) -> None:
    if visit.page.url == "about:blank":
        visit.open("/playground")
    if visit.find("#token").count():
        visit.find("#token").fill(token)
    visit.find("#prompt").fill(prompt)


def ask(visit: Visit, prompt: str, tokens: int | None = None) -> str:
    """Ask and wait; return the answer."""
    prepare(visit, prompt)
    if tokens:
        visit.find("#max_tokens").evaluate("(it, value) => (it.value = value)", str(tokens))
    visit.find("#send").click()
    expect(visit.find("#state")).to_have_text(REPORT, timeout=10_000)
    return visit.find("#log p:last-child span").inner_text()


def sent(visit: Visit) -> dict[str, Any]:
    """The last body that the page sent."""
    body: dict[str, Any] = json.loads(visit.bodies[-1])
    return body


def answer(visit: Visit) -> None:
    """Words appear while others are still to come, then the figures; and a conversation goes on."""
    prepare(visit, "The sea is wide and blue.")
    visit.find("#settings summary").click()
    visit.find("#max_tokens").fill("24")
    visit.find("#system").fill("Be brief.")
    visit.find("#settings summary").click()
    visit.page.keyboard.press("Escape")  # stops nothing: nothing runs
    visit.find("#prompt").press("Control+Enter")
    line = visit.find("#log p:last-child span")
    expect(line).to_contain_text("The sea is")
    visit.expect_text("#state", "Waiting for an answer…")
    so_far = line.inner_text()
    visit.expect_text("#state", REPORT)
    assert len(so_far) < len(line.inner_text()), "it came in one piece"
    assert line.inner_text().split() == ("The sea is wide and blue. " * 4).split()
    check_figures(visit.find("#state").inner_text(), tokens=24)
    expect(visit.find("#prompt")).to_have_value("")
    visit.check_names(least=6)
    visit.picture("inference")

    ask(visit, "And the <b>sky</b>?")
    roles = [message["role"] for message in sent(visit)["messages"]]
    assert roles == ["system", "user", "assistant", "user"], f"forgotten: {roles}"
    visit.find("#clear").click()
    expect(visit.find("#log p")).to_have_count(0)
    ask(visit, "Hello again")
    roles = [message["role"] for message in sent(visit)["messages"]]
    assert roles == ["system", "user"], f"not forgotten: {roles}"


def check_figures(said: str, tokens: int) -> None:
    """The model's pace is known, and the page has to have measured it."""
    found = re.match(r"(\d+) tokens in ([\d.]+) s, the first after ([\d.]+) s, then ([\d.]+)", said)
    assert found, said
    count, total, first, pace = map(float, found.groups())
    assert count == tokens, said
    assert SECONDS * 0.9 <= first < total, said
    assert total >= SECONDS * tokens * 0.9, said
    assert 0.3 / SECONDS < pace < 1.1 / SECONDS, said


def settings(visit: Visit) -> None:
    """Each setting is sent as it stands, and what cannot be meant is not sent at all."""
    prepare(visit, "one two three")
    visit.find("#settings summary").click()
    for name, value in {
        "mode": "text",
        "max_tokens": "9",
        "temperature": "0.3",
        "top_p": "0.95",
        "seed": "-7",
        "stops": "three\nfour",
    }.items():
        field = visit.find(f"#{name}")
        field.select_option(value) if name == "mode" else field.fill(value)
    expect(visit.find("#system")).to_be_hidden()
    visit.check_names(least=13)
    visit.check_narrow()
    visit.find("#send").click()
    visit.expect_text("#state", REPORT)
    wanted = {
        "prompt": "one two three",
        "model": sent(visit)["model"],
        "max_tokens": 9,
        "temperature": 0.3,
        "top_p": 0.95,
        "seed": -7,
        "stop": ["three", "four"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert sent(visit) == wanted, f"{sent(visit)}, not {wanted}"
    visit.expect_text("#log p:last-child span", re.compile("^ one two $"))

    visit.find("#temperature").fill("")
    visit.find("#settings summary").click()
    visit.find("#prompt").fill("again")
    asked = len(visit.bodies)
    visit.find("#send").click()
    expect(visit.find("#temperature")).to_be_focused()
    assert len(visit.bodies) == asked, "it was sent without a temperature"


def stop(visit: Visit) -> None:
    """The button and Escape end the answer, here and at the server; what came stays."""
    for number, end in enumerate(("button", "key"), 1):
        prepare(visit, LONG)
        visit.find("#send").click()
        expect(visit.find("#log p:last-child span")).to_contain_text("word1")
        if end == "button":
            visit.find("#stop").click()
        else:
            visit.page.keyboard.press("Escape")
        visit.expect_text("#state", "Stopped.")
        came = visit.find("#log p:last-child span").inner_text()
        expect(visit.find("#send")).to_be_enabled()
        until = time.monotonic() + 5
        while (given_up := visit.service.log.read_text().count("given up")) < number:
            assert time.monotonic() < until, "the server goes on with an answer for nobody"
            visit.page.wait_for_timeout(50)
        assert given_up == number
        assert visit.find("#log p:last-child span").inner_text() == came, "more came after the end"
        assert "word99" not in came
    expect(visit.find("#log p")).to_have_count(4)


def failures(visit: Visit) -> None:
    """Each says in words what is wrong, loses no prompt, and the next question is answered."""
    visit.expected += ["status of 401", "status of 503", "status of 400"]
    prepare(visit, "hello", token="wrong")
    visit.find("#send").click()
    visit.expect_text("#state", "Not answered (401): Missing or unknown token.")
    expect(visit.find("#token")).to_be_focused()
    expect(visit.find("#prompt")).to_have_value("hello")
    prepare(visit, "hello", token="tökens")
    visit.find("#send").click()
    visit.expect_text("#state", "Not answered: that is not a token, it has other characters.")
    for prompt, said in {
        "busy now": "Not answered (503): Too many wait already. Try again in 1 s.",
        "one two break three": "Not answered to the end: The model broke.",
        " ": "Not answered (400): The prompt has no words.",
    }.items():
        prepare(visit, prompt)
        visit.find("#send").click()
        visit.expect_text("#state", said)
        expect(visit.find("#prompt")).to_have_value("" if "break" in prompt else prompt)
    expect(visit.find("#log p")).to_have_count(2)  # what came before the model broke
    assert ask(visit, "hello", tokens=2).split() == ["hello", "hello"]


def unreachable(visit: Visit) -> None:
    """A network that is gone before the answer, and within it."""
    visit.expected += ["ERR_INTERNET_DISCONNECTED", "ERR_FAILED"]
    prepare(visit, LONG)
    visit.page.context.set_offline(True)
    visit.find("#send").click()
    visit.expect_text(
        "#state", "Not answered: the server cannot be reached, or the connection broke."
    )
    expect(visit.find("#prompt")).to_have_value(LONG)
    visit.page.context.set_offline(False)
    cut = 'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n'
    visit.page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(body=cut, content_type="text/event-stream"),
    )
    visit.find("#send").click()
    visit.expect_text("#state", "Not answered to the end: the connection broke.")
    visit.expect_text("#log p:last-child span", "half")
    visit.page.unroute_all()
    visit.expected.append("status of 502")
    visit.page.route("**/v1/*", lambda route: route.fulfill(status=502, body="<h1>Bad gateway"))
    visit.find("#prompt").fill("hello")
    visit.find("#send").click()
    visit.expect_text("#state", "Not answered (502): no reason given.")


def keyboard(visit: Visit) -> None:
    """All of it without a mouse, and the focus is never lost."""
    visit.open("/playground")
    press, write = visit.page.keyboard.press, visit.page.keyboard.type
    visit.tab_to("#token")
    write(CALLER["TOKEN"])
    visit.tab_to("#prompt")
    write("one two three")
    press("Enter")
    write("four")
    visit.tab_to("#send")
    press("Control+Enter")  # there too, and once
    expect(visit.find("#stop")).to_be_focused()
    expect(visit.find("#log p:last-child span")).to_contain_text("three four")
    press("Enter")
    visit.expect_text("#state", "Stopped.")
    expect(visit.find("#send")).to_be_focused()
    visit.tab_to("#settings summary")
    press("Enter")
    visit.tab_to("#mode")
    press("ArrowDown")
    visit.tab_to("#max_tokens")
    press("Control+a")
    write("3")
    for _ in range(20):  # back to the prompt
        press("Shift+Tab")
        if visit.find("#prompt").evaluate("it => it === document.activeElement"):
            break
    write("five six")
    press("Control+Enter")
    visit.expect_text("#state", REPORT)
    expect(visit.find("#prompt")).to_be_focused()
    visit.expect_text("#log p:last-child span", " five six five")
    visit.page.reload()
    visit.expect_text("#state", "Nothing asked yet.")
    assert sent(visit)["prompt"] == "five six"


def read_aloud(visit: Visit) -> None:
    """A screen reader is given all of an answer, in few pieces, and not what it has already said."""
    prepare(visit, "a b c d e f g h")
    visit.page.evaluate(
        """() => {
            window.said = [];
            new MutationObserver(() => window.said.push(document.querySelector("#spoken").textContent))
                .observe(document.querySelector("#spoken"), { childList: true });
        }"""
    )
    tokens = 80
    ask(visit, "a b c d e f g h", tokens)
    said = [piece for piece in visit.page.evaluate("window.said") if piece]
    whole = visit.find("#log p:last-child span").evaluate("it => it.textContent")
    assert "".join(said) == whole
    assert 2 <= len(said) <= 2 + tokens * SECONDS * 3 / 3, f"{len(said)} pieces: {said}"
    assert visit.find("#log").get_attribute("aria-live") is None
    assert visit.find("#log").get_attribute("role") == "region", "a log reads each token aloud"


def dark(visit: Visit) -> None:
    """It follows the colours that its user has chosen."""
    visit.open("/playground")
    shades = []
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        shades.append(visit.find("body").evaluate("it => getComputedStyle(it).color"))
    assert shades == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"], shades


def without_token(visit: Visit) -> None:
    """Where nobody is asked for one there is no field for it."""
    assert ask(visit, "hello", tokens=2).split() == ["hello", "hello"]
    expect(visit.find("#token")).to_have_count(0)
