"""What every request passes, broken in one place each: the rendered tests of it must see that, and name it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import family
from harden.report import Options, Row
from harden.service import edit, render

MIDDLEWARE, GUARD = "middleware.py", "guard.py"
Mutant = tuple[str, str, str, str]  # file, text in it, text instead, the test that sees it

ASGI: dict[str, Mutant] = {
    "places are never given back": (
        MIDDLEWARE,
        "self.in_flight -= 1",
        "pass",
        "test_one_more_than_may_be_in_flight_is_turned_away",
    ),
    "who fails or leaves keeps its place": (
        MIDDLEWARE,
        "            finally:\n                self.in_flight -= 1",
        "            else:\n                self.in_flight -= 1",
        "test_who_fails_or_leaves_gives_its_place_back",
    ),
    "threads are waited for": (
        MIDDLEWARE,
        "asyncio.timeout(self.seconds)",
        "asyncio.timeout(None)",
        "test_a_thread_is_not_waited_for",
    ),
    "any number in flight": (
        MIDDLEWARE,
        "if self.in_flight >= self.max_in_flight and",
        "if False and",
        "test_one_more_than_may_be_in_flight_is_turned_away",
    ),
    "probes wait in line": (
        MIDDLEWARE,
        '{"/health", "/ready"}',
        "set[str]()",
        "test_one_more_than_may_be_in_flight_is_turned_away",
    ),
    "no deadline": (
        MIDDLEWARE,
        "asyncio.timeout(self.seconds)",
        "asyncio.timeout(None)",
        "test_what_takes_too_long_is_answered_and_ended",
    ),
    "somebody else's timeout is the deadline": (
        MIDDLEWARE,
        "if not deadline.expired():",
        "if False:",
        "test_a_timeout_of_the_applications_own_is_its_error",
    ),
    "a second answer after the first": (
        MIDDLEWARE,
        "            if status:  # too late",
        "            if False:  # too late",
        "test_an_answer_that_has_begun_is_cut",
    ),
    "hosts by their end": (
        MIDDLEWARE,
        "name in self.hosts or",
        "any(name.endswith(host.strip('*')) for host in self.hosts) or",
        "test_another_host_is_refused",
    ),
    "sockets under any host": (
        MIDDLEWARE,
        "not self.is_host(scope):\n            await send",
        "False:\n            await send",
        "test_a_socket_under_another_host_is_refused",
    ),
    "large bodies are read": (
        MIDDLEWARE,
        "int(announced) > self.max_body_bytes",
        "False",
        "test_a_body_that_says_that_it_is_too_large_is_not_read",
    ),
    "no header against frames": (
        MIDDLEWARE,
        '    (b"x-frame-options", b"DENY"),\n',
        "",
        "test_headers_for_browsers_come_with_every_answer_and_replace_none",
    ),
    "a header twice": (
        MIDDLEWARE,
        "if pair[0] not in present",
        "",
        "test_headers_for_browsers_come_with_every_answer_and_replace_none",
    ),
    "the query in the log": (
        MIDDLEWARE,
        'scope["path"][:LONGEST_PATH]',
        'scope["path"][:LONGEST_PATH] + scope["query_string"].decode()',
        "test_each_request_has_a_log_line_without_secrets",
    ),
    "open to strangers": (
        GUARD,
        "if name is None:",
        "if False:",
        "test_strangers_are_turned_away",
    ),
    "sockets are open to strangers": (
        GUARD,
        'scope["type"] == "lifespan"',
        'scope["type"] != "http"',
        "test_strangers_open_no_socket",
    ),
    "bodies of strangers are read": (
        GUARD,
        "        if name is None:",
        "        if name is None and scope['path'] != '/text':",
        "test_the_body_of_a_stranger_is_not_read",
    ),
    "a document that says nothing of tokens": (
        GUARD,
        "if path not in OPEN_PATHS:",
        "if False:",
        "test_the_document_says_who_may_call",
    ),
}
WSGI: dict[str, Mutant] = {
    "places are never given back": (
        MIDDLEWARE,
        "self.places += place",
        "pass",
        "test_one_more_than_may_be_in_flight_is_turned_away",
    ),
    "who fails keeps its place": (
        MIDDLEWARE,
        "self.places += place",
        "pass",
        "test_who_fails_gives_its_place_back",
    ),
    "a body of any size": (
        MIDDLEWARE,
        "if len(body) > self.max_bytes:",
        "if False:",
        "test_a_body_without_length_is_read_to_its_end",
    ),
    "a length is believed": (
        MIDDLEWARE,
        "if len(body) < length:",
        "if False:",
        "test_a_length_is_not_believed",
    ),
    "an input without end is read": (
        MIDDLEWARE,
        'not chunked and environ["REQUEST_METHOD"] in BODILESS',
        "False",
        "test_an_input_without_end_is_not_waited_for",
    ),
    "hosts by their end": (
        MIDDLEWARE,
        "name in self.hosts or",
        "any(name.endswith(host.strip('*')) for host in self.hosts) or",
        "test_another_host_is_refused",
    ),
    "every page may call": (
        MIDDLEWARE,
        '{origin, "*"}.isdisjoint(self.origins)',
        "False",
        "test_pages_of_allowed_origins_may_call",
    ),
    "a preflight comes to the application": (
        MIDDLEWARE,
        'environ["REQUEST_METHOD"] == "OPTIONS"',
        "False",
        "test_a_preflight_is_answered_before_the_application",
    ),
    "a header twice": (
        MIDDLEWARE,
        "if pair[0] not in present",
        "",
        "test_headers_for_browsers_come_with_every_answer_and_replace_none",
    ),
    "the query in the log": (
        MIDDLEWARE,
        '            "path": path,',
        '            "path": path + environ["QUERY_STRING"],',
        "test_each_request_has_a_log_line_without_secrets",
    ),
    "open to strangers": (GUARD, "if name is None:", "if False:", "test_strangers"),
}
MUTANTS = {"api": ASGI, "flask": WSGI}


def run(options: Options) -> Iterator[Row]:
    for style, mutants in MUTANTS.items():
        project = render(options, f"limits-{style}", style=style, auth="bearer")
        failures = [] if not (said := failed(project)) else [f"without a mutant: {said}"]
        chosen = options.some(mutants.items())
        for name, mutant in chosen:
            failures += [f"{name}: {problem}" for problem in missed(project, mutant)]
        least = len(options.some(range(10)))
        outcome = "each is seen by the rendered test that is named for it"
        yield Row("limits", f"{style}: mutants", len(chosen), least, tuple(failures), outcome)


def missed(project: Path, mutant: Mutant) -> list[str]:
    """What is wrong with the tests where the mutant passes them, or fails others only."""
    file, text, instead, test = mutant
    path = project / "src/myapi" / file
    whole = path.read_text()
    edit(path, text, instead)
    try:
        said = failed(project, test)
    finally:
        path.write_text(whole)
    return [] if test in said else [f"{test} did not fail, but: {said or 'nothing'}"]


def failed(project: Path, test: str = "test") -> str:
    """What pytest says of those tests that fail; nothing where all pass."""
    shutil.rmtree(project / "src/myapi/__pycache__", ignore_errors=True)
    tests = ["tests/test_middleware.py", "tests/test_web.py"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-k",
        test,
        *tests,
    ]
    run = subprocess.run(
        command,
        cwd=project,
        env={
            **os.environ,
            **family.OWN_PLUGINS,
            "PYTHONPATH": "src",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return "" if run.returncode == 0 else run.stdout[-2_000:] + run.stderr[-500:]
