"""The page for a browser: what it may load, and what a screen reader finds in it."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from myapi.page import Page


class Controls(HTMLParser):
    """Collects what people fill in, and whether it stands in a label."""

    def __init__(self) -> None:
        super().__init__()
        self.in_label = False
        self.labelled: dict[str, bool] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "label":
            self.in_label = True
        elif tag in ("input", "select", "textarea"):
            self.labelled[str(dict(attrs)["id"])] = self.in_label

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self.in_label = False


def test_the_page_works_under_its_policy() -> None:
    answer = Page().answer()
    text = bytes(answer.body).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        inline = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    # What the policy would block: attributes with code or style, and whatever another host serves.
    assert not re.search(r"<[^>]+\s(on\w+|style|src|href=\"(?!data:))[^>]*>", text)
    assert not re.search(r"[\"'`](https?:|wss?:)?//", text)


def test_everything_that_people_fill_in_has_a_label() -> None:
    controls = Controls()
    controls.feed(Page().text)
    assert controls.labelled
    assert all(controls.labelled.values()), controls.labelled
