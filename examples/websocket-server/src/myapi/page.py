"""The page for a browser: page.html, under a policy by which it works and nothing that is slipped into it does."""

import base64
import hashlib
import re
from pathlib import Path

from fastapi.responses import HTMLResponse

FILE = Path(__file__).with_name("page.html")


class Page:
    """Read once, sent as often as wanted."""

    def __init__(self) -> None:
        self.text = FILE.read_text(encoding="utf-8")
        self.headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy(self.text),
        }

    def answer(self) -> HTMLResponse:
        return HTMLResponse(self.text, headers=self.headers)


def policy(text: str) -> str:
    """Its Content-Security-Policy: its own script and style by their hashes, requests to this host, and that is all.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP
    """

    def source(tag: str) -> str:
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {source('script')}; style-src {source('style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
