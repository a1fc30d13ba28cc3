"""Requests that are wrong in every way, byte by byte: no 5xx, errors in JSON, nothing for strangers, and it lives on."""

import http.client
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import family
from harden import generated_mutants
from harden.generated_client import SECONDS, Answer, Request, send
from harden.generated_requests import SURFACES, Surface, corpus
from harden.generated_strategies import generated
from harden.report import Options, Row
from harden.service import Service, render, served

PART = "generated"
SEED = 1
SUBJECTS = (
    *(("flask", "none"), ("flask", "bearer"), ("django", "none"), ("django", "bearer")),
    *(("api", "bearer"), ("inference", "bearer"), ("embed", "bearer"), ("simple", "none")),
)
# Beside the corpus, of which the slice takes a part.
GENERATED = (90, 1_900)
SLICE = 270
LEAST = (300, 2_000)
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_FAILURES = 12


@dataclass
class Tally:
    """What was seen of one service.

    Attributes:
        cases: requests that the application answered.
        refused: how many the server refused before it, which it does in its own words.
        statuses: that came.
        failures: a sentence each.
    """

    cases: set[Request] = field(default_factory=set)
    refused: int = 0
    statuses: set[int] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


def run(options: Options) -> Iterator[Row]:
    start = random.randrange(2**32) if options.full else SEED  # noqa: S311
    print(f"{PART}: seed {start}", flush=True)
    for style, auth in options.some(SUBJECTS):
        chosen = family.choices()[style]
        project = render(options, f"{PART} {style} {auth}", **chosen, auth=auth)
        surface = SURFACES[style]
        fixed = list(dict.fromkeys(corpus(surface)))
        if not options.full:
            fixed = random.Random(start).sample(fixed, SLICE)  # noqa: S311
        requests = [*fixed, *generated(surface, GENERATED[options.full], start)]
        with served(project) as service:
            tally = examine(service, surface, requests, auth=auth, promises=style != "simple")
        seen = ", ".join(map(str, sorted(tally.statuses)))
        outcome = f"{seen}; {tally.refused} refused by the server"
        failures = tuple(tally.failures)
        yield Row(PART, f"{style} {auth}", len(tally.cases), LEAST[options.full], failures, outcome)
    yield generated_mutants.run(options, examine)


def examine(
    service: Service,
    surface: Surface,
    requests: Iterable[Request],
    *,
    auth: str,
    promises: bool = True,
    most: int = MOST_FAILURES,
) -> Tally:
    """Send them one by one, and look at every answer and at the log in the end.

    Args:
        promises: whether its README promises JSON for each error, and an id for each answer.
        most: failures, after which the rest is not sent.
    """
    tally = Tally()
    for request in requests:
        if len(tally.failures) >= most:
            tally.failures.append("and no further")
            break
        try:
            content = request.encode(service.headers)
            answer = send(service.port, content, request.method)
        except (OSError, http.client.HTTPException) as error:
            tally.failures.append(f"{request}: no answer ({error!r})")
            continue
        if is_refused(request, answer):
            tally.refused += 1
            continue
        tally.cases.add(request)
        tally.statuses.add(answer.status)
        problems = [*look(request, answer, surface, auth == "bearer")]
        problems += look_for_promises(request, answer, surface) if promises else ()
        tally.failures += [f"{request}: {problem}" for problem in problems]
    tally.failures += still_answers(service, surface)
    tally.failures += errors_logged(service.log)
    return tally


def is_refused(request: Request, answer: Answer) -> bool:
    """Whether uvicorn did not take it for HTTP, so that the application never saw it."""
    said = b"" if request.method == b"HEAD" else b"Invalid HTTP request received."
    has_id = "x-request-id" in answer.headers
    return answer.status == 400 and answer.body == said and not has_id


def look(request: Request, answer: Answer, surface: Surface, is_closed: bool) -> Iterator[str]:
    if answer.status >= 500:
        yield f"answered {answer.status}: {answer.body[:200]!r}"
    if b"Traceback" in answer.body or b"site-packages" in answer.body:
        yield f"its answer shows its inside: {answer.body[:200]!r}"
    path = unquote(request.target.decode("latin-1").partition("?")[0])
    path = re.sub(r"^https?://[^/]*", "", path)
    # A preflight carries no token: https://fetch.spec.whatwg.org/#cors-protocol-and-credentials
    is_preflight = request.method == b"OPTIONS"
    # To Starlette a path with a newline in the end is the same path.
    is_open = not is_closed or is_preflight or path.removesuffix("\n") in surface.open
    if not request.has_token and not is_open and answer.status < 300:
        yield f"open to strangers, who get {answer.status}: {answer.body[:200]!r}"


def look_for_promises(request: Request, answer: Answer, surface: Surface) -> Iterator[str]:
    own = answer.headers.get("x-request-id", "")
    if not SANE_ID.fullmatch(own):
        yield f"the request's id is {own[:80]!r}"
    if answer.status < 400 or request.method == b"HEAD":
        return
    kind = answer.headers.get("content-type", "")
    try:
        error = json.loads(answer.body)
    except ValueError:
        yield f"answered {answer.status} without JSON: {kind} {answer.body[:200]!r}"
        return
    key = "error" if re.match(rb"/v1(/|$)", request.target) and surface.openai else "detail"
    if not kind.startswith("application/json") or not error.get(key):
        yield f"answered {answer.status} without a {key}: {kind} {answer.body[:200]!r}"


def still_answers(service: Service, surface: Surface) -> Iterator[str]:
    """Whether it does what it should after all that."""
    good = [Request(b"GET", target) for target in surface.gets]
    for request in good:
        try:
            answer = send(service.port, request.encode(service.headers), request.method)
            if answer.status != 200:
                yield f"in the end {request} is answered with {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            yield f"in the end {request} has no answer within {SECONDS:g} seconds ({error!r})"


def errors_logged(log: Path) -> Iterator[str]:
    """What the service itself calls an error, even where its caller saw none."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if re.search(r'"level": "(ERROR|CRITICAL)"|^Traceback', line)]
    if errors:
        yield f"{len(errors)} errors in its log, the first: {errors[0][:600]}"
