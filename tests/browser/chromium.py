"""A browser without a window, and what it saw."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from harden.service import Service

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "There is no Chromium and no Chrome on the PATH: apt-get install chromium."
FLAGS = [
    "--no-sandbox",  # as root, in a container
    "--disable-background-networking",
    # Not even a name is looked up; what a page asks for elsewhere fails, and is noted.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SECONDS = 10.0  # for anything to appear
# The width of a small phone, and of a page at 400 %: https://www.w3.org/TR/WCAG22/#reflow
NARROW = 320
# What people operate: https://www.w3.org/TR/wai-aria-1.2/#widget_roles
CONTROLS = {
    "DisclosureTriangle",  # as Chromium calls a summary
    "button",
    "checkbox",
    "combobox",
    "link",
    "menuitem",
    "option",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
}


class MissingBrowserError(Exception):
    """No browser on this machine."""


def find() -> str:
    """The path of this machine's Chromium."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise MissingBrowserError(MISSING)


def launch(playwright: Playwright) -> Browser:
    expect.set_options(timeout=SECONDS * 1000)
    return playwright.chromium.launch(executable_path=find(), args=FLAGS)


@dataclass
class Visit:
    """One person's tab.

    Attributes:
        page: what playwright drives.
        service: what is visited.
        project: what is served there.
        pictures: the folder for them, where they are wanted.
        bodies: what the page sent, the last one last.
        elsewhere: requests to other hosts.
        complaints: errors of the console, and of scripts.
        expected: patterns of complaints that belong to the story.
        controls: the names of all controls that were looked at.
    """

    page: Page
    service: Service
    project: Path
    pictures: Path | None = None
    bodies: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    controls: set[str] = field(default_factory=set)

    def open(self, path: str) -> None:
        self.page.goto(self.service.url + path)

    def find(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def expect_text(self, selector: str, text: str | re.Pattern[str]) -> None:
        expect(self.find(selector)).to_have_text(text)

    def tab_to(self, selector: str) -> None:
        """Press Tab until this has the focus."""
        for _ in range(40):
            if self.find(selector).evaluate("it => it === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not come to {selector}")

    def picture(self, name: str) -> None:
        """Take one for README, where pictures are wanted."""
        if self.pictures:
            self.page.evaluate("scrollTo(0, 0)")
            self.page.screenshot(path=self.pictures / f"{name}.png", animations="disabled")

    def check_names(self, least: int, nameless: int = 0) -> None:
        """Each control has a name, as the accessibility tree has it.

        Args:
            least: so many controls there are at least.
            nameless: so many have none, which are not ours to name.
        """
        session = self.page.context.new_cdp_session(self.page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        found = [
            (role, node.get("name", {}).get("value", "").strip())
            for node in nodes
            if not node["ignored"] and (role := node["role"]["value"]) in CONTROLS
        ]
        without = [role for role, name in found if not name]
        assert len(without) <= nameless, f"controls without a name: {without}, among {found}"
        assert len(found) >= least, f"only {len(found)} controls: {found}"
        self.controls |= {f"{role} {name}" for role, name in found}

    def check_narrow(self) -> None:
        """At 320 pixels nobody has to scroll sideways."""
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": NARROW, "height": 640})
        with contextlib.suppress(AssertionError):  # frameworks lay out again a little later
            expect(self.page.locator(":root")).to_have_js_property(
                "scrollWidth", NARROW, timeout=2000
            )
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW, f"{width} pixels wide on a screen of {NARROW}"
        assert size
        self.page.set_viewport_size(size)

    def check_quiet(self) -> None:
        """Nothing was asked of another host, and nobody complained but as the story has it."""
        assert not self.elsewhere, f"asked of other hosts: {self.elsewhere}"
        odd = [
            text
            for text in self.complaints
            if not any(re.search(each, text) for each in self.expected)
        ]
        assert not odd, f"errors in the console: {odd}"


@contextlib.contextmanager
def visiting(
    browser: Browser, service: Service, project: Path, pictures: Path | None = None
) -> Iterator[Visit]:
    """A new tab, without cookies; in the end everything that it did must have been quiet."""
    context = browser.new_context(viewport={"width": 800, "height": 700}, locale="en-US")
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    visit = Visit(page, service, project, pictures)

    def note(asked: str) -> None:
        if (
            urlsplit(asked).scheme not in ("data", "blob")
            and urlsplit(asked).hostname != "127.0.0.1"
        ):
            visit.elsewhere.append(asked)

    context.on("request", lambda request: note(request.url))
    context.on(
        "request",
        lambda request: (
            visit.bodies.append(request.post_data or "") if request.method == "POST" else None
        ),
    )
    page.on("websocket", lambda socket: note(socket.url))
    page.on(
        "console",
        lambda said: visit.complaints.append(said.text) if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    try:
        yield visit
        visit.check_quiet()
    finally:
        context.close()
