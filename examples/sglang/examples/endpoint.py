"""Calls an endpoint on Modal, and waits where it has to."""

import contextlib
import itertools
import json
import logging
import os
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx2

# After 150 seconds Modal redirects to the result, and after 150 more again; a browser follows 20 times:
# https://modal.com/docs/guide/webhook-timeouts
TIMEOUT = httpx2.Timeout(180, connect=10)
REDIRECTS = 20
NOT_YET = {429, 503}  # too many at once; no container is up, or all are full
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds
log = logging.getLogger(__name__)


class EndpointError(Exception):
    """What came in the place of an answer, in a sentence.

    Attributes:
        status: of HTTP, or None where nothing was answered.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Endpoint:
    """One endpoint, and who calls it.

    Args:
        url: what `modal deploy` printed.
        headers: what proves who calls. They go to the host of `url`, and to no other.
        patience: for how many seconds a request is repeated that nobody takes yet.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, *, patience: float = 120
    ) -> None:
        try:
            self.url = httpx2.URL(url.rstrip("/"))
        except httpx2.InvalidURL as error:
            raise EndpointError(f"{url!r} is not a URL: {error}") from error
        if self.url.scheme not in {"http", "https"} or not self.url.host:
            raise EndpointError(f"{url!r} is not the URL of an endpoint: http(s)://host")
        self.headers = dict(headers or {})
        self.patience = patience
        self._client = httpx2.Client(timeout=TIMEOUT)

    @classmethod
    def from_environment(cls) -> Self:
        """The endpoint at `URL`, or the local server, which has no proxy and needs no `MODAL_KEY` and `MODAL_SECRET`."""
        names = {"Modal-Key": "MODAL_KEY", "Modal-Secret": "MODAL_SECRET"}
        headers = {header: os.environ[name] for header, name in names.items() if name in os.environ}
        return cls(os.environ.get("URL", "http://127.0.0.1:8000"), headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End its connections; leaving a `with` block does so too."""
        self._client.close()

    def call(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None
    ) -> Any:
        """Send JSON, and return the JSON of the answer.

        Raises:
            EndpointError: when the answer is an error, or there is none.
        """
        answer = self.request(method, path, body, query=query)
        try:
            return answer.json()
        except ValueError as error:
            raise EndpointError(f"{method} {path}: the answer is not JSON") from error

    def request(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """The same for an answer of any kind, which is read whole."""
        with self.open(method, path, body, query=query) as answer:
            answer.read()
        return answer

    @contextlib.contextmanager
    def open(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None
    ) -> Iterator[httpx2.Response]:
        """The same for an answer that comes in pieces: it is open inside the block, and not yet read."""
        what = f"{method} {path}"
        request = self._client.build_request(
            method, f"{self.url}{path}", params=query, json=body, headers=self.headers
        )
        try:
            with contextlib.closing(self._follow(self._send(request, what), what)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise EndpointError(f"{what}: {describe(answer)}", answer.status_code)
                yield answer
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise EndpointError(f"{what}: no whole answer, {name_of(error)}") from error

    def _send(self, request: httpx2.Request, what: str) -> httpx2.Response:
        """Send it, and again after longer and longer pauses, until there is an answer or patience ends."""
        until = time.monotonic() + self.patience
        for attempt in itertools.count():
            # Not the same pause for all, or those who came at once come back at once.
            pause = random.uniform(0.5, 1) * min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)  # noqa: S311 (no secret)
            status = None
            try:
                answer = self._client.send(request, stream=True)
            except httpx2.TransportError as error:
                if not may_repeat(request, error):
                    raise
                problem = f"no answer ({name_of(error)})"
            else:
                if answer.status_code not in NOT_YET:
                    return answer
                with contextlib.closing(answer):
                    answer.read()
                status, problem = answer.status_code, describe(answer)
                pause += seconds_asked_for(answer)
            if time.monotonic() + pause > until:
                break
            log.warning("%s: %s; again in %.1f s", what, problem, pause)
            time.sleep(pause)
        raise EndpointError(f"{what}: gave up after {self.patience:g} seconds, {problem}", status)

    def _follow(self, answer: httpx2.Response, what: str) -> httpx2.Response:
        """What a redirect to a result leads to: asked for with GET, whatever the request was."""
        for followed in itertools.count():
            if answer.status_code != 303 or "Location" not in answer.headers:
                break
            answer.close()
            if followed == REDIRECTS:
                raise EndpointError(f"{what}: no result after {REDIRECTS} redirects", 303)
            target = answer.url.join(answer.headers["Location"])
            headers = self.headers if origin(target) == origin(self.url) else {}
            request = self._client.build_request("GET", target, headers=headers)
            answer = self._send(request, what)
        return answer


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def name_of(error: Exception) -> str:
    return str(error) or type(error).__name__  # a timeout has no words


def may_repeat(request: httpx2.Request, error: httpx2.TransportError) -> bool:
    """Whether it surely did nothing: it was not sent, or it only asks."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return True
    return request.method in {"GET", "HEAD"} and isinstance(
        error, httpx2.NetworkError | httpx2.RemoteProtocolError
    )


def seconds_asked_for(answer: httpx2.Response) -> float:
    """What `Retry-After` says; 0 where that is no number."""
    try:
        return max(0.0, float(answer.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0


def describe(answer: httpx2.Response) -> str:
    """The status, and the reason: `detail` where the body has one, else its text."""
    reason = answer.text[:500].strip() or answer.reason_phrase
    with contextlib.suppress(ValueError, TypeError, KeyError):
        detail = answer.json()["detail"]
        reason = detail if isinstance(detail, str) else json.dumps(detail)
    return f"{answer.status_code} {reason}"
