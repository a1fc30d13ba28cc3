"""The client in examples/ of a project, broken in one place each. A test that lets its mutant pass tests nothing."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import family
import projects
import slices

API, PROXY = {"style": "api", "auth": "bearer"}, {"style": "api", "auth": "proxy"}
EMBED = {"style": "inference", "task": "embed"}
INFERENCE, WEBSOCKET = {"style": "inference"}, {"style": "websocket"}
MCP = {"style": "mcp", "auth": "bearer"}
JOBS = {"style": "jobs", "auth": "bearer"}
VLLM = {"style": "server", "server_app": "vllm"}
ENDPOINT, CLIENT = "examples/endpoint.py", "examples/client.py"
SAME_HOST = "self.headers if origin(target) == origin(self.url) else {}"
Broken = Callable[..., Path]

# What is broken: (answers, file, text in it, text instead, the test of the project that fails)
MUTANTS = {
    "no retry on 503": (API, ENDPOINT, "{429, 503}", "{429}", "test_it_waits_for_a_container"),
    "retries without end": (
        API,
        ENDPOINT,
        "if time.monotonic() + pause > until:",
        "if time.monotonic() < 0:",
        "test_patience_ends_and_says_why",
    ),
    "Retry-After is not heard": (
        API,
        ENDPOINT,
        "pause += seconds_asked_for(answer)",
        "pause += 0",
        "test_it_waits_as_long_as_it_is_asked_to",
    ),
    "an order is given twice": (
        API,
        ENDPOINT,
        'request.method in {"GET", "HEAD"} and',
        "",
        "test_an_order_is_not_given_twice_where_the_line_breaks",
    ),
    "credentials for another host": (
        API,
        ENDPOINT,
        SAME_HOST,
        "self.headers",
        "test_no_other_host_is_told_who_calls",
    ),
    "no credentials for the result": (
        API,
        ENDPOINT,
        SAME_HOST,
        "{}",
        "test_it_follows_to_the_result",
    ),
    "the method is kept": (
        API,
        ENDPOINT,
        'build_request("GET", target',
        "build_request(answer.request.method, target",
        "test_it_follows_to_the_result",
    ),
    "fewer redirects": (
        API,
        ENDPOINT,
        "REDIRECTS = 20",
        "REDIRECTS = 19",
        "test_it_follows_as_often_as_a_browser",
    ),
    "redirects without end": (
        API,
        ENDPOINT,
        "followed == REDIRECTS",
        "followed < 0",
        "test_it_follows_as_often_as_a_browser",
    ),
    "an answer is read whole": (
        API,
        ENDPOINT,
        "stream=True",
        "stream=False",
        "test_an_answer_is_there_as_it_comes",
    ),
    "another header for the token": (
        API,
        ENDPOINT,
        '"Authorization": f"Bearer {token}"',
        '"X-Token": token',
        "test_it_says_who_calls",
    ),
    "the halves of a proxy token change places": (
        PROXY,
        ENDPOINT,
        '"Modal-Key": "MODAL_KEY", "Modal-Secret": "MODAL_SECRET"',
        '"Modal-Key": "MODAL_SECRET", "Modal-Secret": "MODAL_KEY"',
        "test_it_says_who_calls",
    ),
    "another path": (API, CLIENT, '"/predict"', '"/predictions"', "test_predict"),
    "any error is none": (API, CLIENT, "== 404", "!= 0", "test_a_stranger_is_told_so"),
    "only the first texts": (
        EMBED,
        CLIENT,
        "while some := list(islice(rest, MOST)):",
        "if some := list(islice(rest, MOST)):",
        "test_more_texts_than_one_request_takes",
    ),
    "the farthest": (EMBED, CLIENT, "max(products)", "min(products)", "test_the_nearest"),
    "a stream is read whole": (
        INFERENCE,
        CLIENT,
        "yield from EventSource(answer)",
        "yield from list(EventSource(answer))",
        "test_pieces_are_there_as_they_come",
    ),
    "a part is taken for whole": (
        INFERENCE,
        CLIENT,
        'raise EndpointError("POST /generate: the stream broke off")',
        "return",
        "test_a_stream_that_fails_is_not_taken_for_whole",
    ),
    "ten seconds for a container": (
        WEBSOCKET,
        CLIENT,
        "open_timeout=None,",
        "",
        "test_a_container_may_take_its_time_to_start",
    ),
    "a socket is not opened again": (
        WEBSOCKET,
        CLIENT,
        "{1003,",
        "{1011, 1003,",
        "test_a_socket_that_ends_is_followed_by_another",
    ),
    "sockets without end": (
        WEBSOCKET,
        CLIENT,
        "for pause in PAUSES:",
        "for pause in iter(float, 1):",
        "test_sockets_that_all_end_are_no_reason_to_go_on",
    ),
    "what is refused is said again": (
        WEBSOCKET,
        CLIENT,
        "error.rcvd.code in FINAL",
        "error.rcvd.code < 0",
        "test_what_the_server_refuses_is_not_said_again",
    ),
    "a silent server is waited for": (
        WEBSOCKET,
        CLIENT,
        "asyncio.timeout(self._endpoint.patience)",
        "asyncio.timeout(None)",
        "test_a_silent_server_is_not_waited_for_longer_than_it_may",
    ),
    "a ping is taken for an answer": (
        WEBSOCKET,
        CLIENT,
        """'{"type":"ping"}'""",
        """'{"type":"pang"}'""",
        "test_a_socket_that_ends_is_followed_by_another",
    ),
    "a container is not waited for": (
        MCP,
        CLIENT,
        "await asyncio.to_thread(self._knock)",
        "await asyncio.sleep(0)",
        "test_it_waits_for_a_container_and_says_that_the_line_broke",
    ),
    "who is turned away goes on": (
        MCP,
        CLIENT,
        "if answer.status != 405:",
        "if answer.status == 404:",
        "test_who_is_not_let_in_asks_nothing",
    ),
    "who is let in is turned away": (
        MCP,
        CLIENT,
        "if answer.status != 405:",
        "if answer.status:",
        "test_a_tool_answers",
    ),
    "a tool's error is its answer": (
        MCP,
        CLIENT,
        "if result.is_error:",
        "if False:",
        "test_a_tool_that_fails_says_why",
    ),
    "errors in groups": (
        MCP,
        CLIENT,
        "reason = innermost(error)",
        "reason = error",
        "test_a_tool_that_fails_says_why",
    ),
    "a tool that is called by nobody": (
        MCP,
        CLIENT,
        "headers=self.headers, timeout",
        "timeout",
        "test_a_tool_answers",
    ),
    "a job without a key": (
        JOBS,
        CLIENT,
        'self._with("Idempotency-Key", key or secrets.token_urlsafe())',
        "self",
        "test_what_got_no_answer_is_sent_again_with_its_key",
    ),
    "a job is asked for once": (
        JOBS,
        CLIENT,
        "if not broke_off(error):\n                    raise\n                failure",
        "if True:\n                    raise\n                failure",
        "test_what_got_no_answer_is_sent_again_with_its_key",
    ),
    "a stream from its beginning": (
        JOBS,
        CLIENT,
        'self._with("Last-Event-ID", last_id) if last_id else self',
        "self",
        "test_a_stream_that_breaks_goes_on_where_it_was",
    ),
    "a stream without an end": (
        JOBS,
        CLIENT,
        "if answer.status_code == 204:",
        "if answer.status_code == 205:",
        "test_a_stream_that_breaks_goes_on_where_it_was",
    ),
    "who is refused asks again": (
        JOBS,
        CLIENT,
        "if failures == TIMES or not broke_off(error):",
        "if failures == TIMES:",
        "test_a_stream_that_breaks_goes_on_where_it_was",
    ),
    "a stream that ends is the end": (
        JOBS,
        CLIENT,
        "while True:",
        "for _ in range(1):",
        "test_a_job_is_followed_from_stream_to_stream",
    ),
    "a job that failed has a result": (
        JOBS,
        CLIENT,
        'if job["result"] is None:',
        "if False:",
        "test_a_job_that_fails_says_why",
    ),
    "too late is an error": (
        JOBS,
        CLIENT,
        "if error.status == 409:",
        "if False:",
        "test_a_job_is_cancelled",
    ),
    "half an answer of an engine is whole": (
        VLLM,
        CLIENT,
        'raise EndpointError(f"POST {CHAT}: the stream broke off")',
        "return",
        "test_a_stream_that_fails_is_not_taken_for_whole",
    ),
    "an engine's error is its answer": (
        VLLM,
        CLIENT,
        'if "error" in data:',
        "if False:",
        "test_a_stream_that_fails_is_not_taken_for_whole",
    ),
    "an engine's words all at the end": (
        VLLM,
        CLIENT,
        "for event in EventSource(answer):",
        "for event in list(EventSource(answer)):",
        "test_pieces_are_there_as_they_come",
    ),
    "an engine is told of no options": (
        VLLM,
        CLIENT,
        '{"messages": said(text), **options}',
        '{"messages": said(text)}',
        "test_chat",
    ),
    "a refusal without its reason": (
        WEBSOCKET,
        CLIENT,
        "await self._explain()",
        "await asyncio.sleep(0)",
        "test_a_stranger_is_told_so",
    ),
}


@pytest.fixture(scope="module")
def render(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Render a project, once for the same answers."""
    rendered: dict[str, Path] = {}

    def render(answers: Mapping[str, str]) -> Path:
        key = str(answers)
        if key not in rendered:
            rendered[key] = family.render(template, tmp_path_factory.mktemp("my"), dict(answers))
        return rendered[key]

    return render


@pytest.fixture
def broken(render: Callable[..., Path], tmp_path: Path) -> Broken:
    def broken(answers: Mapping[str, str], file: str, text: str, instead: str) -> Path:
        """A project with another text in one file."""
        project = shutil.copytree(render(answers), tmp_path / family.NAME)
        before = (project / file).read_text()
        assert text in before, f"the mutant does not change {file}"
        (project / file).write_text(before.replace(text, instead))
        return project

    return broken


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_mutant_is_caught(broken: Broken, name: str) -> None:
    *change, test = MUTANTS[name]
    project = broken(*change)
    file = next(
        file
        for file in ("tests/test_endpoint.py", "tests/test_client.py")
        if f"def {test}(" in (project / file).read_text()
    )
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{file}::{test}"],
        cwd=project,
        env={**os.environ, **family.OWN_PLUGINS, "PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            said, _ = run.communicate(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)  # a server that it may have left behind
    assert run.returncode == 1, said  # it ran, and failed
    assert f"FAILED {file}::{test}" in said, said


README = {
    "it runs no client": ("README.md", "-m examples.client", "-m myapi.client"),
    "a client that fails": (CLIENT, '"/predict"', '"/predictions"'),
}


@pytest.mark.parametrize("name", README)
def test_readme_is_held_to_the_client(broken: Broken, name: str) -> None:
    project = broken(API, *README[name])
    program = "from myapi.serve import main; main()"
    command = [sys.executable, "-c", program, "--port", str(projects.free_port())]
    environment = {**os.environ, **projects.SECRETS, "PYTHONPATH": "src"}
    with projects.local_server(command, project, environment) as (url, _):
        caller = {**projects.CALLER, "URL": url}
        with pytest.raises(AssertionError, match=r"README runs no client|examples\.client\n.*404"):
            projects.check_documented(project, caller, [sys.executable])
