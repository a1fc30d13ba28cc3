"""The smoke test: does what was deployed answer, and is its door closed to strangers?

`SMOKE_TOKEN=... uv run python -m ci.smoke URL`
"""

import argparse
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPMessage
from typing import IO

from .project import AUTH, CLOSED_PATH, SMOKE_PATH, SMOKE_PATIENCE, SMOKE_STATUS

# Longer than the 150 seconds after which Modal answers with a redirect to the result, which waits as long again:
# https://modal.com/docs/guide/webhook-timeouts
REQUEST_SECONDS = 160
REDIRECTS = 20
# Nobody is there yet. All other answers are those of the application, and final.
COLD = {502, 503, 504}
EDGE = "modal-http: "  # how Modal itself begins an answer, for some seconds perhaps to a new URL


class SmokeError(Exception):
    """What was asked, and what came instead of what should."""


class ColdError(SmokeError):
    """Nothing answered before the patience was over."""


def check(url: str) -> str:
    """Ask the deployment at this URL; a sentence on what was seen.

    Raises:
        SmokeError: when it does not answer as it should.
    """
    url = url.rstrip("/")
    started = time.monotonic()
    status = first_status(url + SMOKE_PATH, started + SMOKE_PATIENCE)
    if status != SMOKE_STATUS:
        raise SmokeError(f"{SMOKE_PATH} answered {status}, not {SMOKE_STATUS}")
    seen = f"{SMOKE_PATH} answered {status} after {time.monotonic() - started:.0f} s"
    if AUTH == "login":
        user, _, password = os.environ["SMOKE_TOKEN"].partition(":")
        for word, expected in ((password, True), ("", False)):
            form = urllib.parse.urlencode({"username": user, "password": word}).encode()
            status, _ = ask(f"{url}/login", data=form)
            if (status == 200) != expected:
                raise SmokeError(
                    f"/login answered {status} to a {'right' if expected else 'wrong'} password"
                )
        seen += ", the login lets in who has the password, and nobody else"
    if CLOSED_PATH:
        status, _ = ask(url + CLOSED_PATH)
        if status != 401:
            raise SmokeError(f"{CLOSED_PATH} answered {status} without credentials, not 401")
        status, _ = ask(url + CLOSED_PATH, credentials())
        if status in {401, 403}:
            raise SmokeError(f"{CLOSED_PATH} answered {status} to the credentials in SMOKE_TOKEN")
        seen += f", {CLOSED_PATH} is closed without credentials and open with them"
    return seen


def first_status(url: str, end: float) -> int:
    """The first answer of the application itself; starts of containers are waited for."""
    while True:
        try:
            status, body = ask(url, credentials(), seconds=end - time.monotonic())
            if status not in COLD and not (status == 404 and body.startswith(EDGE)):
                return status
            saw = f"it answered {status}"
        except OSError as error:  # no connection, or no answer in time
            saw = f"there was no answer ({getattr(error, 'reason', None) or error})"
        if time.monotonic() + 1 > end:
            raise ColdError(f"{SMOKE_PATH} was not up after {SMOKE_PATIENCE} s; at the end {saw}")
        time.sleep(1)


def credentials() -> dict[str, str]:
    """The headers of a caller: for `proxy`, SMOKE_TOKEN holds both halves with a dot between them."""
    token = os.environ.get("SMOKE_TOKEN", "")
    if AUTH == "proxy":
        key, _, secret = token.partition(".")
        return {"Modal-Key": key, "Modal-Secret": secret}
    return {"Authorization": f"Bearer {token}"} if AUTH == "bearer" else {}


def ask(
    url: str,
    headers: dict[str, str] | None = None,
    data: bytes | None = None,
    seconds: float = REQUEST_SECONDS,
) -> tuple[int, str]:
    """Status and begin of the body, at the end of all redirects."""
    if not url.startswith(("https://", "http://")):
        raise SmokeError(f"this is no URL of a web server: {url}")
    request = urllib.request.Request(url, data, headers or {})  # noqa: S310  (checked above)
    opener = urllib.request.build_opener(Follow)
    try:
        with opener.open(request, timeout=max(1, min(seconds, REQUEST_SECONDS))) as answer:
            return answer.status, answer.read(1000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(1000).decode(errors="replace")


class Follow(urllib.request.HTTPRedirectHandler):
    """Follows as often as browsers do, and takes no credentials along to another host."""

    max_redirections = max_repeats = REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if (
            request
            and urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc
        ):
            request.headers.clear()
        return request


def main() -> None:
    parser = argparse.ArgumentParser(prog="ci.smoke", description=__doc__)
    parser.add_argument("url")
    try:
        print(check(parser.parse_args().url))
    except SmokeError as error:
        sys.exit(f"The smoke test failed: {error}.")


if __name__ == "__main__":
    main()
