"""Projects broken in one place. A check that lets its mutant pass checks nothing."""

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
SERVER = {"style": "server", "server_app": "command"}
WEB, SERVE = "src/myapi/web.py", "src/myapi/serve.py"
MODAL_APP = "src/myapi/modal_app.py"
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
        "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n    serve(listen(options.host, options.port))\n",
        # It takes its time to end, so that what comes meanwhile surely finds it there.
        "    import time\n\n    try:\n        serve(listen(options.host, options.port))\n    except KeyboardInterrupt:\n        time.sleep(2)\n",
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
    "a traceback for a taken port": (
        API,
        SERVE,
        "except OSError as error",
        "except KeyError as error",
        projects.check_taken_port,
        "not one line",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_caught(template: Path, tmp_path: Path, name: str) -> None:
    answers, file, text, instead, check, message = MUTANTS[name]
    project = Project(family.render(template, tmp_path, answers))
    project.install()
    path = project.folder / file
    assert text in path.read_text(), f"the mutant does not change {file}"
    path.write_text(path.read_text().replace(text, instead))
    with pytest.raises(AssertionError, match=re.compile(message)):
        check(project)
