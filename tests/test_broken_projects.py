"""Projects broken in one place. A check that lets its mutant pass checks nothing."""

import functools
import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import family
import projects
from projects import Project

API = {"style": "api", "auth": "bearer"}
WEBSOCKET = {"style": "websocket", "auth": "bearer"}
MCP = {"style": "mcp", "auth": "bearer"}
JOBS = {"style": "jobs", "auth": "bearer"}
SERVER = {"style": "server", "server_app": "command"}
WEB, SERVE, RELOAD = "src/myapi/web.py", "src/myapi/serve.py", "src/myapi/reload.py"
MODAL_APP = "src/myapi/modal_app.py"
NOTED = "src/myapi/jobs.py"
check_jobs = partial(projects.check_own, file="tests/test_jobs.py")
SECRETS = """    secrets=[
        modal.Secret.from_name(
            "myapi",
            required_keys=["API_TOKENS"],
        ),
    ],
"""

Mutant = tuple[dict[str, str], str, str, str, Callable[[Project], None], str]

# What is broken: (answers, file, text in it, text instead, the check, what it says)
MUTANTS: dict[str, Mutant] = {
    "open to strangers": (
        API,
        WEB,
        "    app.add_middleware(Bearer, tokens=Tokens.from_env())\n",
        "",
        projects.check_calls,
        "open to strangers",
    ),
    "another answer": (
        API,
        "src/myapi/handlers.py",
        '"second item"',
        '"item two"',
        projects.check_calls,
        "items/2",
    ),
    "another status": (
        API,
        "src/myapi/handlers.py",
        "status_code=404",
        "status_code=410",
        projects.check_calls,
        "410, not 404",
    ),
    "README without calls": (API, "README.md", "curl -s", "wget", projects.check_calls, "no call"),
    "a failing test": (
        API,
        "tests/test_handlers.py",
        '"one two"',
        '"one"',
        projects.check_suite,
        "test_predict",
    ),
    "wrong types": (
        API,
        "src/myapi/auth.py",
        "-> str | None:",
        "-> str:",
        projects.check_suite,
        "uv run mypy",
    ),
    "a stale lock": (
        API,
        "tests/test_lock.py",
        "PROJECT = ",
        'Path("uv.lock").unlink()\nPROJECT = ',
        projects.check_suite,
        "uv.lock is missing",
    ),
    "one request at a time": (
        API,
        MODAL_APP,
        "@modal.concurrent(max_inputs=100, target_inputs=80)\n",
        "",
        projects.check_suite,
        "AssertionError: without @modal.concurrent each request gets a container of its own",
    ),
    "another GPU": (
        {"style": "inference"},
        MODAL_APP,
        'gpu="L40S"',
        'gpu="H100"',
        projects.check_suite,
        "AssertionError: this changes what a container costs",
    ),
    "another timeout": (
        API,
        MODAL_APP,
        "    timeout=300,\n",
        "    timeout=3000,\n",
        projects.check_suite,
        "AssertionError: this changes how long a request may take",
    ),
    "a secret that is not attached": (
        API,
        MODAL_APP,
        SECRETS,
        "",
        projects.check_suite,
        "AssertionError: without it no container starts",
    ),
    "proxy auth forgotten": (
        {"style": "api", "auth": "proxy"},
        MODAL_APP,
        "requires_proxy_auth=True",
        "",
        projects.check_suite,
        "AssertionError: strangers get past Modal's proxy",
    ),
    "another application in the deployed object": (
        API,
        MODAL_APP,
        "    return create_app()\n",
        "    return FastAPI(title=create_app.__name__)\n",
        projects.check_suite,
        "test_predict",
    ),
    "a warning at import": (
        API,
        MODAL_APP,
        "PROJECT = ",
        'print("hello")\nPROJECT = ',
        projects.check_import,
        "hello",
    ),
    "a traceback at SIGTERM": (
        API,
        SERVE,
        "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n",
        "    signal.signal(signal.SIGTERM, lambda *_: serve(listener()))\n",
        partial(projects.check_end, number=signal.SIGTERM),
        "Traceback",
    ),
    "a traceback at the end": (
        API,
        SERVE,
        "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n",
        "",
        partial(projects.check_end, number=signal.SIGINT),
        "Traceback",
    ),
    "a traceback for the impatient": (
        API,
        SERVE,
        "        serve(listener)\n",
        # It takes its time to end, so that what comes meanwhile surely finds it there.
        (
            "        import time\n\n        signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "        try:\n            serve(listener)\n        except KeyboardInterrupt:\n            time.sleep(2)\n"
        ),
        partial(projects.check_end, number=signal.SIGINT, times=100),
        "Traceback",
    ),
    "orphans": (
        SERVER,
        SERVE,
        "        process.stop()\n",
        "        pass\n",
        partial(projects.check_end, number=signal.SIGTERM),
        "still there",
    ),
    "a reload at Ctrl-C ends with a traceback": (
        API,
        RELOAD,
        "start_new_session=True",
        "start_new_session=False",
        partial(projects.check_own, file="tests/test_reload.py"),
        "'Traceback' is contained here",
    ),
    "a reload leaves its server behind": (
        API,
        RELOAD,
        "        end(server)\n",
        "        if not signals:\n            end(server)\n",
        partial(projects.check_own, file="tests/test_reload.py"),
        "DID NOT RAISE",
    ),
    "a reload does not see a change": (
        API,
        RELOAD,
        "            now = sources()\n",
        "",
        partial(projects.check_own, file="tests/test_reload.py"),
        "did not happen within 10 seconds",
    ),
    "a reload gives up at an error": (
        API,
        RELOAD,
        "        end(server)\n",
        "        end(server)\n        if server.returncode == 1:\n            break\n",
        partial(projects.check_own, file="tests/test_reload.py"),
        "RemoteDisconnected|ConnectionResetError",
    ),
    "a reload closes the port meanwhile": (
        API,
        SERVE,
        "        reload.follow(program, descriptors=[fd])\n",
        (
            "        port = listener.getsockname()[1]\n        listener.close()\n"
            '        reload.follow(f"from {__name__} import *; serve(listen({options.host!r}, {port}))")\n'
        ),
        partial(projects.check_own, file="tests/test_reload.py"),
        "ConnectionRefusedError",
    ),
    "a reload makes up another token": (
        API,
        SERVE,
        '        program = f"',
        "        program = f\"import os, secrets; os.environ['API_TOKENS'] = 'x:' + secrets.token_hex(16); ",
        partial(projects.check_own, file="tests/test_reload.py"),
        "another port, or another token",
    ),
    "a reload changes the port": (
        SERVER,
        SERVE,
        '"--port", str(port)',
        '"--port", "0"',
        partial(projects.check_own, file="tests/test_reload.py"),
        "ConnectionRefusedError",
    ),
    "a reload waits for what is deaf": (
        API,
        RELOAD,
        "except subprocess.TimeoutExpired",
        "except ProcessLookupError",
        partial(projects.check_own, file="tests/test_reload.py"),
        "TimeoutExpired",
    ),
    "a reload at what Python writes": (
        API,
        RELOAD,
        '(".", "__pycache__")',
        '(".",)',
        partial(projects.check_own, file="tests/test_reload.py"),
        "web.pyc",
    ),
    "a route that the document lacks": (
        API,
        "src/myapi/handlers.py",
        '@router.post("/predict", ',
        '@router.post("/predict", include_in_schema=False, ',
        projects.check_calls,
        "the document has no post /predict",
    ),
    "an answer that the document lacks": (
        API,
        "src/myapi/handlers.py",
        "responses={404:",
        "responses={410:",
        projects.check_calls,
        "the document has no 404 for get /items/9",
    ),
    "another document than is served": (
        API,
        SERVE,
        "document = load().openapi()",
        'document = load().openapi() | {"security": []}',
        partial(projects.check_own, file="tests/test_serve.py"),
        "test_the_openapi_document_is_the_one_that_is_served",
    ),
    "a page that may load from everywhere": (
        WEBSOCKET,
        "src/myapi/page.py",
        "\"default-src 'none'",
        '"default-src *',
        partial(projects.check_own, file="tests/test_page.py"),
        "test_the_page_works_under_its_policy",
    ),
    "a script that the policy blocks": (
        WEBSOCKET,
        "src/myapi/page.html",
        "<body>",
        '<body onload="main()">',
        partial(projects.check_own, file="tests/test_page.py"),
        "test_the_page_works_under_its_policy",
    ),
    "a field without a label": (
        WEBSOCKET,
        "src/myapi/page.html",
        '<label>Message <input id="message" autocomplete="off" aria-describedby="hint"></label>',
        '<input id="message">',
        partial(projects.check_own, file="tests/test_page.py"),
        "test_everything_that_people_fill_in_has_a_label",
    ),
    "a page that asks for a token before it is shown": (
        WEBSOCKET,
        WEB,
        "        return page.answer()",
        "        raise HTTPException(401)",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_everybody_may_open_the_page",
    ),
    "sessions that only one container knows": (
        MCP,
        WEB,
        "stateless_http=True,",
        "stateless_http=False,",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_any_container_answers_any_request",
    ),
    "answers that cannot tell of progress": (
        MCP,
        WEB,
        "stateless_http=True,",
        "stateless_http=True, json_response=True,",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_any_container_answers_any_request",
    ),
    "a server that only answers as localhost": (
        MCP,
        WEB,
        "TransportSecuritySettings(enable_dns_rebinding_protection=False)",
        "None",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_plain_answers_are_json",
    ),
    "a stream that says nothing": (
        MCP,
        WEB,
        'scope["method"] != "POST"',
        'scope["method"] == "PUT"',
        partial(projects.check_own, file="tests/test_web.py"),
        "test_there_is_no_session",
    ),
    "every page may call": (
        MCP,
        WEB,
        "if origin and",
        "if False and",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_no_page_may_call_unless_it_is_allowed",
    ),
    "a page under a name of its own may call": (
        MCP,
        WEB,
        "if origin and",
        'if origin.partition("//")[2].encode() != header(scope, b"host") and',
        partial(projects.check_own, file="tests/test_web.py"),
        "test_no_page_may_call_unless_it_is_allowed",
    ),
    "no page may call": (
        MCP,
        WEB,
        "if settings.allowed_origins:",
        "if False:",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_a_page_that_is_allowed_may_call",
    ),
    "each line of the log twice": (
        MCP,
        WEB,
        "    logs.configure(settings.log_level)\n",
        "    from . import handlers\n\n    logs.configure(settings.log_level)\n",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_the_log_is_written_once",
    ),
    "who leaves is an error": (
        MCP,
        WEB,
        "receive = await self.read(receive)",
        "pass",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_who_leaves_in_the_middle_is_no_error",
    ),
    "bodies in chunks without a limit": (
        MCP,
        WEB,
        "if len(body) > self.max_body_bytes:",
        "if False:",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_a_large_body_is_refused",
    ),
    "errors in plain text": (
        MCP,
        WEB,
        "    app.add_exception_handler(HTTPException, pass_on)\n",
        "",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_other_errors_are_json",
    ),
    "always ready": (
        MCP,
        WEB,
        "if await handlers.is_ready():",
        "if True:",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_health_and_readiness",
    ),
    "requests without an id": (
        MCP,
        WEB,
        "    app.add_middleware(RequestContext)\n",
        "    app.add_middleware(RequestContext) if False else None\n",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_each_answer_and_log_line_has_the_request_id",
    ),
    "tools for strangers": (
        MCP,
        WEB,
        "    app.add_middleware(Bearer, tokens=Tokens.from_env())\n",
        "    Tokens.from_env()\n",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_strangers_are_turned_away",
    ),
    "tokens that may be missing": (
        MCP,
        WEB,
        "Tokens.from_env()",
        "Tokens({})",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_a_missing_secret_stops_the_start",
    ),
    "a tool that tells what went wrong inside": (
        MCP,
        "tests/test_web.py",
        "def fail() -> int:\n        raise KeyError(",
        "def fail() -> int:\n        raise ToolError(",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_what_went_wrong_inside_is_said_to_nobody",
    ),
    "a stream of changes that nobody ends": (
        MCP,
        "src/myapi/handlers.py",
        "    subscriptions=False,\n",
        "",
        partial(projects.check_own, file="tests/test_handlers.py"),
        "test_nobody_can_hold_a_stream_open",
    ),
    "a tool that says nothing of its progress": (
        MCP,
        "src/myapi/handlers.py",
        "await context.report_progress(number, len(texts))",
        "pass",
        partial(projects.check_own, file="tests/test_handlers.py"),
        "test_count_words_says_how_far_it_is",
    ),
    "settings that let no MCP client in": (
        MCP,
        "README.md",
        '"headers": {"Authorization"',
        '"headers": {"X-Token"',
        projects.check_calls,
        "mcpServers",
    ),
    "a key that fits every job": (
        JOBS,
        NOTED,
        "if first != digest:",
        "if False:",
        check_jobs,
        "test_a_key_belongs_to_one_job",
    ),
    "one key for all callers": (
        JOBS,
        NOTED,
        "logs.caller.get() or ''",
        "''",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_two_callers_may_have_the_same_key",
    ),
    "a key that is lost with its container": (
        JOBS,
        NOTED,
        'or notes.get(f"{job_id}/call") is None:',
        'or notes.get(f"{job_id}/call") is None and job_id not in str(notes.get(note)):',
        check_jobs,
        "test_a_key_whose_container_was_lost_starts_its_job",
    ),
    "a job that two calls work on": (
        JOBS,
        NOTED,
        'if first_to_note(notes, f"{job_id}/call", call) != call:\n        return',
        "if False:\n        return",
        check_jobs,
        "test_a_call_that_comes_second_does_nothing",
    ),
    "a job that is done after it was cancelled": (
        JOBS,
        NOTED,
        'if first_to_note(notes, f"{job_id}/end", outcome["status"]) == "cancelled":',
        "if False:",
        check_jobs,
        "test_a_job_that_was_cancelled_meanwhile_is_not_done",
    ),
    "a cancelled job that is said to run": (
        JOBS,
        NOTED,
        'if notes.get(f"{job_id}/end") == "cancelled":\n            return Outcome',
        "if False:\n            return Outcome",
        check_jobs,
        "test_a_job_is_cancelled",
    ),
    "a cancelled job that works on": (
        JOBS,
        "src/myapi/progress.py",
        "            raise Cancelled",
        "            pass",
        check_jobs,
        "test_a_job_is_cancelled",
    ),
    "a cancellation that comes too late, and says nothing": (
        JOBS,
        NOTED,
        'if status != "cancelled":',
        "if False:",
        check_jobs,
        "test_what_is_over_cannot_be_cancelled",
    ),
    "a second attempt that counts anew": (
        JOBS,
        NOTED,
        'notes.get(f"{job_id}/progress") or []]\n        with',
        "[]]\n        with",
        check_jobs,
        "test_a_second_attempt_goes_on_counting",
    ),
    "work that tells what went wrong inside": (
        JOBS,
        NOTED,
        "raise Crashed(type(error).__name__) from None",
        'outcome = {"status": "failed", "error": str(error)}',
        check_jobs,
        "test_what_went_wrong_inside_is_said_to_nobody",
    ),
    "a reason that no JSON can hold": (
        JOBS,
        NOTED,
        "readable(str(error))",
        "str(error)",
        check_jobs,
        "test_a_job_says_why_it_cannot_be_done",
    ),
    "a name that is no id": (
        JOBS,
        NOTED,
        "if not ID.fullmatch(job_id):",
        "if False:",
        check_jobs,
        "test_there_is_no_such_job",
    ),
    "old jobs that never existed": (
        JOBS,
        NOTED,
        "if call is None and not is_old:",
        "if call is None:",
        check_jobs,
        "test_an_old_job_is_gone",
    ),
    "jobs that are kept for ever": (
        JOBS,
        NOTED,
        "if is_old and (call is None or outcome):",
        "if is_old and call is None:",
        check_jobs,
        "test_an_old_job_is_gone",
    ),
    "a job that is gone while it works": (
        JOBS,
        NOTED,
        "if is_old and (call is None or outcome):",
        "if is_old:",
        check_jobs,
        "test_an_old_job_is_gone",
    ),
    "the last progress is lost": (
        JOBS,
        "src/myapi/progress.py",
        "while not over:",
        "while not self._over.is_set():",
        check_jobs,
        "test_many_reports_are_few_writes",
    ),
    "each progress is written": (
        JOBS,
        "src/myapi/progress.py",
        "            self._over.wait(PACE_SECONDS)",
        "            pass",
        check_jobs,
        "test_many_reports_are_few_writes",
    ),
    "events without end": (
        JOBS,
        "src/myapi/progress.py",
        "events[-KEPT:]",
        "events",
        check_jobs,
        "test_only_the_newest_events_are_kept",
    ),
    "progress that stops the work": (
        JOBS,
        "src/myapi/progress.py",
        "except Exception:",
        "except KeyError:",
        check_jobs,
        "test_progress_that_cannot_be_written_stops_no_work",
    ),
    "a client that comes for ever": (
        JOBS,
        WEB,
        "if last_event_id == LAST:",
        "if False:",
        check_jobs,
        "test_who_comes_again_gets_what_is_newer",
    ),
    "events that come twice": (
        JOBS,
        WEB,
        "                seen = event.id\n",
        "",
        check_jobs,
        "test_a_stream_ends_before_it_is_ended",
    ),
    "a stream that Modal ends": (
        JOBS,
        WEB,
        "while time.monotonic() < until:",
        "while True:",
        check_jobs,
        "test_a_stream_ends_before_it_is_ended",
    ),
    "a stream that the deadline ends": (
        JOBS,
        WEB,
        "min(settings.events_seconds, settings.request_seconds / 2)",
        "settings.events_seconds",
        check_jobs,
        "test_a_stream_ends_before_it_is_ended",
    ),
    "a client that comes again when it likes": (
        JOBS,
        WEB,
        "yield ServerSentEvent(retry=RETRY_MILLISECONDS)",
        'yield ServerSentEvent(comment="hello")',
        check_jobs,
        "test_events_tell_it_all",
    ),
    "as many jobs as come": (
        JOBS,
        "src/myapi/local_runner.py",
        "with self._room:",
        "if True:",
        check_jobs,
        "test_more_jobs_wait",
    ),
    "a failure of the way that fails the job": (
        JOBS,
        "src/myapi/modal_runner.py",
        "FAILURES = (Crashed, RemoteError, ExecutionError, InternalFailure)",
        "FAILURES = (Exception,)",
        check_jobs,
        "test_what_says_nothing_of_the_job",
    ),
    "a killed call that is an error": (
        JOBS,
        "src/myapi/modal_runner.py",
        "FAILURES = (Crashed, RemoteError, ExecutionError, InternalFailure)",
        "FAILURES = (Crashed,)",
        check_jobs,
        "test_what_modal_says_of_a_call",
    ),
    "a result that nobody has any more": (
        JOBS,
        "src/myapi/modal_runner.py",
        "        except OutputExpiredError:\n            raise HTTPException(410, GONE) from None\n",
        "        except OutputExpiredError:\n            return None\n",
        check_jobs,
        "test_what_says_nothing_of_the_job",
    ),
    "results that nobody reads of": (
        JOBS,
        WEB,
        "result=(handlers.JobResult | None, ...)",
        "result=(object, ...)",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_the_document_says_what_goes_in_and_comes_out",
    ),
    "jobs for strangers": (
        JOBS,
        WEB,
        "    app.add_middleware(Bearer, tokens=Tokens.from_env())\n",
        "    Tokens.from_env()\n",
        partial(projects.check_own, file="tests/test_web.py"),
        "test_strangers_are_turned_away",
    ),
    "a documented job that ends otherwise": (
        JOBS,
        "README.md",
        '"result": {"words": [3, 1]}',
        '"result": {"words": [3, 2]}',
        projects.check_calls,
        r"curl .*jobs/\$JOB",
    ),
    "a traceback for a taken port": (
        API,
        SERVE,
        "except OSError as error",
        "except KeyError as error",
        projects.check_taken_port,
        "not one line",
    ),
}


Installed = Callable[[dict[str, str]], Project]


@pytest.fixture(scope="module")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Projects by their answers, each made once: what uv installs takes longer than most checks."""

    @functools.cache
    def make(answers: tuple[tuple[str, str], ...]) -> Project:
        project = Project(family.render(template, tmp_path_factory.mktemp("x"), dict(answers)))
        project.install()
        project.git("add", "--all")
        project.git("commit", "--quiet", "--message=As it is rendered")
        return project

    return lambda answers: make(tuple(answers.items()))


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_caught(installed: Installed, name: str) -> None:
    answers, file, text, instead, check, message = MUTANTS[name]
    project = installed(answers)
    path = project.folder / file
    assert text in path.read_text(), f"the mutant does not change {file}"
    path.write_text(path.read_text().replace(text, instead))
    try:
        with pytest.raises(AssertionError, match=re.compile(message)):
            check(project)
    finally:
        project.git("reset", "--quiet", "--hard")
        project.git("clean", "--quiet", "--force", "-d")
