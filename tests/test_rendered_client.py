"""The client in examples/ of a project, broken in one place each. A test that lets its mutant pass tests nothing."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import family
import projects

API, PROXY = {"style": "api", "auth": "bearer"}, {"style": "api", "auth": "proxy"}
INFERENCE, WEBSOCKET = {"style": "inference"}, {"style": "websocket"}
ENDPOINT, CLIENT = "examples/endpoint.py", "examples/client.py"
SAME_HOST = "self.headers if origin(target) == origin(self.url) else {}"

# What is broken: (answers, file, text in it, text instead, the test of the project that fails)
MUTANTS = {
    "no retry on 503": (API, ENDPOINT, "{429, 503}", "{429}", "it_waits_for_a_container"),
    "retries without end": (
        API,
        ENDPOINT,
        "if time.monotonic() + pause > until:",
        "if time.monotonic() < 0:",
        "patience_ends_and_says_why",
    ),
    "Retry-After is not heard": (
        API,
        ENDPOINT,
        "pause += seconds_asked_for(answer)",
        "pause += 0",
        "it_waits_as_long_as_it_is_asked_to",
    ),
    "an order is given twice": (
        API,
        ENDPOINT,
        'request.method in {"GET", "HEAD"} and',
        "",
        "an_order_is_not_given_twice_where_the_line_breaks",
    ),
    "credentials for another host": (
        API,
        ENDPOINT,
        SAME_HOST,
        "self.headers",
        "no_other_host_is_told_who_calls",
    ),
    "no credentials for the result": (
        API,
        ENDPOINT,
        SAME_HOST,
        "{}",
        "it_follows_to_the_result",
    ),
    "the method is kept": (
        API,
        ENDPOINT,
        'build_request("GET", target',
        "build_request(answer.request.method, target",
        "it_follows_to_the_result",
    ),
    "fewer redirects": (
        API,
        ENDPOINT,
        "REDIRECTS = 20",
        "REDIRECTS = 19",
        "it_follows_as_often_as_a_browser",
    ),
    "redirects without end": (
        API,
        ENDPOINT,
        "followed == REDIRECTS",
        "followed < 0",
        "it_follows_as_often_as_a_browser",
    ),
    "an answer is read whole": (
        API,
        ENDPOINT,
        "stream=True",
        "stream=False",
        "an_answer_is_there_as_it_comes",
    ),
    "another header for the token": (
        API,
        ENDPOINT,
        '"Authorization": f"Bearer {token}"',
        '"X-Token": token',
        "it_says_who_calls",
    ),
    "the halves of a proxy token change places": (
        PROXY,
        ENDPOINT,
        '"Modal-Key": "MODAL_KEY", "Modal-Secret": "MODAL_SECRET"',
        '"Modal-Key": "MODAL_SECRET", "Modal-Secret": "MODAL_KEY"',
        "it_says_who_calls",
    ),
    "another path": (API, CLIENT, '"/predict"', '"/predictions"', "predict"),
    "any error is none": (API, CLIENT, "error.status == 404", "error.status", "a_stranger"),
    "a stream is read whole": (
        INFERENCE,
        CLIENT,
        "yield from EventSource(answer)",
        "yield from list(EventSource(answer))",
        "pieces_are_there_as_they_come",
    ),
    "a part is taken for whole": (
        INFERENCE,
        CLIENT,
        'raise EndpointError("POST /generate: the stream broke off")',
        "return",
        "a_stream_that_fails_is_not_taken_for_whole",
    ),
    "a socket is not opened again": (
        WEBSOCKET,
        CLIENT,
        "{1003,",
        "{1011, 1003,",
        "a_socket_that_ends_is_followed_by_another",
    ),
    "sockets without end": (
        WEBSOCKET,
        CLIENT,
        "for pause in PAUSES:",
        "for pause in iter(float, 1):",
        "sockets_that_all_end_are_no_reason_to_go_on",
    ),
    "what is refused is said again": (
        WEBSOCKET,
        CLIENT,
        "error.rcvd.code in FINAL",
        "error.rcvd.code < 0",
        "what_the_server_refuses_is_not_said_again",
    ),
    "a silent server is waited for": (
        WEBSOCKET,
        CLIENT,
        "asyncio.timeout(self._endpoint.patience)",
        "asyncio.timeout(None)",
        "a_silent_server_is_not_waited_for_longer_than_it_may",
    ),
    "a ping is taken for an answer": (
        WEBSOCKET,
        CLIENT,
        """'{"type":"ping"}'""",
        """'{"type":"pang"}'""",
        "a_socket_that_ends_is_followed_by_another",
    ),
    "a refusal without its reason": (
        WEBSOCKET,
        CLIENT,
        "await self._explain()",
        "await asyncio.sleep(0)",
        "a_stranger",
    ),
}


def broken(template: Path, folder: Path, answers: Mapping[str, str], *change: str) -> Path:
    """A project with another text in one file."""
    project = family.render(template, folder, dict(answers))
    file, text, instead = change
    before = (project / file).read_text()
    assert text in before, f"the mutant does not change {file}"
    (project / file).write_text(before.replace(text, instead))
    return project


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_caught(template: Path, tmp_path: Path, name: str) -> None:
    answers, *change, test = MUTANTS[name]
    project = broken(template, tmp_path, answers, *change)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"),
            *("-k", f"test_{test}", "tests/test_endpoint.py", "tests/test_client.py"),
        ],
        cwd=project,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1, run.stdout + run.stderr  # tests ran, and some failed
    assert f"::test_{test}" in run.stdout.partition("short test summary")[2], run.stdout


README = {
    "it runs no client": ("README.md", "-m examples.client", "-m myapi.client"),
    "a client that fails": (CLIENT, '"/predict"', '"/predictions"'),
}


@pytest.mark.parametrize("name", README)
def test_readme_is_held_to_the_client(template: Path, tmp_path: Path, name: str) -> None:
    project = broken(template, tmp_path, API, *README[name])
    program = "from myapi.serve import main; main()"
    command = [sys.executable, "-c", program, "--port", str(projects.free_port())]
    environment = {**os.environ, **projects.SECRETS, "PYTHONPATH": "src"}
    with projects.local_server(command, project, environment) as (url, _):
        caller = {**projects.CALLER, "URL": url}
        with pytest.raises(AssertionError, match=r"README runs no client|examples\.client\n.*404"):
            projects.check_documented(project, caller, [sys.executable])
