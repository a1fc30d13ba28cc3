"""A service that is broken in every way that the requests should show."""

from collections.abc import Callable
from typing import Any

import family
from harden.generated_requests import SURFACES, corpus
from harden.report import Options, Row
from harden.service import edit, render, served

# In a file of a Flask project: what stands there, what stands there instead, and what must be said.
MUTANTS = (
    (
        "handlers.py",
        "    words = body.text.split()",
        "    assert '\\x00' not in body.text\n    words = body.text.split()",
        "answered 500",
    ),
    (
        "handlers.py",
        '    return {"result"',
        "    if body.max_length == 1000:\n        __import__('time').sleep(9)\n    return {\"result\"",
        "no answer",
    ),
    (
        "handlers.py",
        "    body = read_json(",
        "    if not request.data:\n        logging.error('nothing')\n    body = read_json(",
        "errors in its log",
    ),
    (
        "web.py",
        "    response.data = json",
        "    if error.code == 405:\n        return response\n    response.data = json",
        "without JSON",
    ),
    (
        "auth.py",
        "        return found\n",
        "        return found or 'anybody'\n",
        "open to strangers",
    ),
    ("middleware.py", '{1,64}")', '{1,9999}")', "the request's id"),
)


def run(options: Options, examine: Callable[..., Any]) -> Row:
    """All of them in one service; in the end it is killed, which must not pass either."""
    project = render(options, "generated mutants", style="flask", auth="bearer")
    package = project / "src" / family.NAME
    for name, old, new, _ in MUTANTS:
        edit(package / name, old, new)
    handlers = package / "handlers.py"
    handlers.write_text(f"import logging\nfrom flask import request\n{handlers.read_text()}")
    surface = SURFACES["flask"]
    with served(project) as service:
        requests = [each for each in corpus(surface) if len(each.body) < 9_000]
        found = examine(service, surface, requests, auth="bearer", most=9_999).failures
        service.process.kill()
        service.process.wait()
        missed = [new for _, _, new, said in MUTANTS if not any(said in each for each in found)]
        if not examine(service, surface, [], auth="bearer").failures:
            missed.append("the server is gone")
    failures = tuple(f"nobody sees {new.strip()!r}" for new in missed)
    number = len(MUTANTS) + 1
    return Row("generated", "mutants", number, 7, failures, f"{number - len(missed)} caught")
