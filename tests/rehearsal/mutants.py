"""Projects broken in one place. A rehearsal that lets its mutant pass proves nothing.

Each mutant is a rendered project with one mistake, of a kind that people make. It must fail the very steps that the
unbroken project passes, and the failure must name the cause.
"""

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import family
import locks
import projects
import slices

from . import jobs, perform, promise
from .plane import Deployment
from .stage import Stage

Edit = tuple[str, str, str]  # file, text that stands in it once, text instead
Steps = Callable[[Stage, Path, family.Answers, str], object]

BEARER = {"style": "api", "auth": "bearer"}
PROXY = {"style": "api", "auth": "proxy", "region": "eu", "memory_snapshot": True}
FLASK = {"style": "flask", "auth": "none"}
COMMAND = {"style": "server", "server_app": "command", "auth": "none"}
WEBSOCKET = {"style": "websocket", "auth": "bearer"}
INFERENCE = {"style": "inference", "auth": "proxy"}
EMBED = {"style": "inference", "task": "embed", "auth": "proxy"}
MCP = {"style": "mcp", "auth": "bearer"}
STREAMLIT = {"style": "server", "server_app": "streamlit", "auth": "none"}
JOBS = {"style": "jobs", "auth": "none"}
AS_SERVER = {"tune": True, "server_kind": "server"}
COMMAND_SERVER = {**COMMAND, **AS_SERVER}
WEBSOCKET_SERVER = {**WEBSOCKET, **AS_SERVER}
VLLM = {"style": "server", "server_app": "vllm", "auth": "none"}
ASLEEP = {**VLLM, "auth": "bearer", "tune": True, "gpu_snapshot": True}
SGLANG = {**VLLM, "server_app": "sglang"}

PYPROJECT = "pyproject.toml"
MODAL_APP = "src/myapi/modal_app.py"
WEB = "src/myapi/web.py"
COMMAND_FILE = "src/myapi/command.py"
HANDLERS = "src/myapi/handlers.py"
NOTED = "src/myapi/jobs.py"

# Texts of rendered projects.
MOUNT = """    # Last, because it is mounted when a container starts: a change of code builds nothing.
    .add_local_python_source("myapi")
"""
SECRETS = """    secrets=[
        modal.Secret.from_name(
            "myapi",
            required_keys=["API_TOKENS"],
        ),
    ],
"""
FUNCTION = "@app.function(\n"
ROUTER = "router = APIRouter()\n"
ITEMS = 'ITEMS = {1: "first item", 2: "second item"}\n'
WORDS = "    words = request"
RETURN = "    return create_app()\n"
APP = '    app = FastAPI(\n        title="myapi",\n'
DEPENDENCY = '    "pydantic-settings>=2.16,<3",\n'
LOG = "    logs.configure("

# Texts of broken ones.
ITEMS_FROM_FILE = """FILE = Path(__file__).parents[2] / "items.json"
ITEMS = {int(number): name for number, name in json.loads(FILE.read_text()).items()}
"""
SECRETS_HERE = """SECRETS = []
if modal.is_local():
    SECRETS = [modal.Secret.from_name("myapi", required_keys=["API_TOKENS"])]


@app.function(
"""
ADMIN = """    return create_app()


@app.function()
@modal.asgi_app()
def admin() -> FastAPI:
    return create_app()
"""
LIFESPAN = """
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        {start}
        yield
        {end}

    app = FastAPI(
        title="myapi",
        lifespan=asynccontextmanager(lifespan),
"""
LIFESPAN_IMPORTS = """from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI"""
KEPT = """CONTAINER = os.environ.get("MODAL_TASK_ID")


def create_app() -> FastAPI:
    if os.environ.get("MODAL_TASK_ID") != CONTAINER:
        raise RuntimeError("this connection belongs to another container")
"""
CHILD = """    subprocess.Popen(["sleep", "60"], start_new_session=True, env={"PATH": os.environ["PATH"]})
    logs.configure("""

NO_SOURCE = (MODAL_APP, "image=image)", "image=image, include_source=False)")

# What the Secret of a project with tokens holds.
SECRET = {"API_TOKENS": projects.SECRETS["API_TOKENS"]}


class SurvivorError(AssertionError):
    """Names each mutant that was not caught, or not for its cause."""


def unchanged(project: Path) -> None:
    pass


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    answers: of the project that it is made in.
    message: a regular expression, found in the message of the failure.
    edits: texts that are replaced.
    change: what else is done to the project's folder, after the edits.
    relock: whether the project is locked again afterwards.
    secret: what the Secret of the app's name holds; None for one that does not exist.
    steps: what the project goes through.
    """

    name: str
    answers: family.Answers
    message: str
    edits: Sequence[Edit] = ()
    change: Callable[[Path], None] = unchanged
    relock: bool = True
    secret: Mapping[str, str] | None = field(default_factory=lambda: SECRET)
    steps: Steps = perform.rehearse


@dataclass(frozen=True)
class Result:
    """How a mutant was caught: the class of the exception, the line of its message that names the cause."""

    name: str
    caught_by: str
    line: str
    seconds: float


# ---- Steps -----------------------------------------------------------------------------------------


def deploy(stage: Stage, project: Path, answers: family.Answers, name: str) -> Deployment:
    """Deploy and compare with the answers; start no container."""
    app = stage.deploy(project, family.NAME, name)
    promise.check(app, answers, project)
    return app


def start(
    stage: Stage,
    project: Path,
    answers: family.Answers,
    name: str,
    *,
    seconds: float = 90,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Deploy, and start a container that is asked nothing; no Volume holds anything.

    Args:
        seconds: how long the start may take.
        extra: variables that override the deployed ones.
    """
    app = deploy(stage, project, answers, name)
    with stage.served(app, seconds=seconds, extra=extra):
        pass


def serve_blindly(stage: Stage, project: Path, answers: family.Answers, name: str) -> None:
    """Deploy and serve what a comparison with the answers would not let pass: a container must fail by itself."""
    app = stage.deploy(project, family.NAME, name)
    perform.serve(stage, app, project, answers, perform.Performance(name))


def follow_readme(stage: Stage, project: Path, answers: family.Answers, name: str) -> None:
    """Deploy by the commands that README documents, and compare with the answers."""
    stage.command(project, perform.documented_deploy(project), name)
    promise.check(stage.plane.deployments[name], answers, project)


# ---- Changes that are no edits ---------------------------------------------------------------------


def remove_lock(project: Path) -> None:
    (project / "uv.lock").unlink()


def add_items(project: Path) -> None:
    (project / "items.json").write_text('{"1": "first item", "2": "second item"}\n')


def add_dotenv(project: Path) -> None:
    (project / ".env").write_text("API_TOKENS=ann:secret\n")


# ---- The mutants -----------------------------------------------------------------------------------

MUTANTS = [
    # What reaches the container.
    Mutant(
        "the package is not mounted",
        BEARER,
        r"/root/myapi/web\.py: promised .*, deployed nothing",
        [(MODAL_APP, MOUNT, ""), NO_SOURCE],
    ),
    Mutant(
        "the package is not mounted, in the container",
        BEARER,
        "did not start: .*No module named 'myapi'",
        [(MODAL_APP, MOUNT, ""), NO_SOURCE],
        steps=serve_blindly,
    ),
    Mutant(
        "a file deployed instead of a module",
        BEARER,
        "InvalidError: The source file contains relative imports",
        [("README.md", "deploy -m myapi.modal_app", "deploy src/myapi/modal_app.py")],
        steps=follow_readme,
    ),
    Mutant(
        "a file deployed, with imports that allow it",
        BEARER,
        r"/root/modal_app\.py: promised nothing",
        [
            ("README.md", "deploy -m myapi.modal_app", "deploy src/myapi/modal_app.py"),
            (MODAL_APP, "from .web import", "from myapi.web import"),
        ],
        steps=follow_readme,
    ),
    Mutant(
        "tests and .env mounted too",
        BEARER,
        r"/root/project/\.env: promised nothing",
        [(MODAL_APP, MOUNT, MOUNT + '    .add_local_dir(str(PROJECT), "/root/project")\n')],
        change=add_dotenv,
    ),
    Mutant(
        "a page that the image does not name",
        WEBSOCKET,
        r"/root/myapi/page\.html: promised",
        [(MODAL_APP, '("**/*.py", "**/*.html")', '("**/*.py")')],
    ),
    Mutant(
        "a page that is not mounted, in the container",
        WEBSOCKET,
        r"No such file or directory: '.*/page\.html'",
        [(MODAL_APP, '("**/*.py", "**/*.html")', '("**/*.py")'), NO_SOURCE],
        steps=serve_blindly,
    ),
    Mutant(
        "a file read from beside the package",
        BEARER,
        r"No such file or directory: '.*/items\.json'",
        [
            (HANDLERS, "from typing", "import json\nfrom pathlib import Path\nfrom typing"),
            (HANDLERS, "HTTPException, Path\n", "HTTPException\n"),
            (HANDLERS, "Annotated[int, Path(ge=0)]", "int"),
            (HANDLERS, ITEMS, ITEMS_FROM_FILE),
        ],
        change=add_items,
    ),
    # What the image holds.
    Mutant(
        "a dependency that is not declared",
        BEARER,
        "No module named 'pydantic_settings'",
        [(PYPROJECT, DEPENDENCY, "")],
    ),
    Mutant(
        "a dependency that is not locked",
        BEARER,
        "No module named 'yaml'",
        [
            (PYPROJECT, DEPENDENCY, f'{DEPENDENCY}    "pyyaml>=6",\n'),
            (HANDLERS, ROUTER, f"import yaml\n\n{ROUTER}"),
        ],
        relock=False,
    ),
    Mutant(
        "a dependency that only Modal's client has",
        BEARER,
        r"handlers\.py imports aiohttp, which uv\.lock does not give",
        [(HANDLERS, ROUTER, f"import aiohttp\n\n{ROUTER}")],
    ),
    Mutant(
        "a dependency for development",
        BEARER,
        "No module named 'httpx2'",
        [(HANDLERS, ROUTER, f"import httpx2\n\n{ROUTER}")],
    ),
    Mutant(
        "no lock file",
        BEARER,
        r"uv\.lock, to build: promised a file, deployed nothing",
        change=remove_lock,
        relock=False,
    ),
    Mutant(
        "an image with the tools for development",
        BEARER,
        r"commands: promised .*, deployed \['RUN uv sync --frozen'\]",
        [(MODAL_APP, 'extra_options="--no-dev"', 'extra_options=""')],
    ),
    Mutant(
        "an image that is not frozen",
        BEARER,
        r"commands: promised .*, deployed \['RUN uv sync --no-dev'\]",
        [(MODAL_APP, 'extra_options="--no-dev"', 'frozen=False, extra_options="--no-dev"')],
    ),
    Mutant(
        "an image with another entrypoint",
        BEARER,
        r"commands: promised .*, deployed .*ENTRYPOINT",
        [(MODAL_APP, MOUNT, f'    .entrypoint(["/bin/sh"])\n{MOUNT}')],
    ),
    Mutant(
        "another Python",
        BEARER,
        r"Python: promised 3\.13, deployed 3\.12",
        [(MODAL_APP, 'python_version="3.13"', 'python_version="3.12"')],
    ),
    Mutant(
        "another base image",
        BEARER,
        r"base: promised Modal's own, deployed python:3\.13-slim",
        [(MODAL_APP, 'debian_slim(python_version="3.13")', 'from_registry("python:3.13-slim")')],
    ),
    Mutant(
        "a build step after the mount",
        BEARER,
        r"InvalidError: .* a build step after using `image\.add_local_\*`",
        [(MODAL_APP, MOUNT, MOUNT + '    .run_commands("true")\n')],
    ),
    # What Modal is asked for.
    Mutant(
        "a renamed keyword",
        BEARER,
        "'container_idle_timeout' parameter has been renamed",
        [(MODAL_APP, "scaledown_window=", "container_idle_timeout=")],
    ),
    Mutant(
        "an object made here only",
        BEARER,
        "Function has 1 dependencies but container got 2 object ids",
        [
            (MODAL_APP, FUNCTION, SECRETS_HERE),
            (MODAL_APP, SECRETS, "    secrets=SECRETS,\n"),
        ],
    ),
    Mutant(
        "another timeout",
        PROXY,
        "web: timeout: promised 300, deployed 3000",
        [(MODAL_APP, "    timeout=300,\n", "    timeout=3000,\n")],
    ),
    Mutant(
        "no cost cap",
        PROXY,
        "web: max_containers: promised 10, deployed 0",
        [(MODAL_APP, "    max_containers=10,  # the cost cap\n", "")],
    ),
    Mutant(
        "a container for each request",
        PROXY,
        "web: max_inputs: promised 100, deployed 0",
        [(MODAL_APP, "@modal.concurrent(max_inputs=100, target_inputs=80)\n", "")],
    ),
    Mutant(
        "another region",
        PROXY,
        r"web: regions: promised \['eu'\], deployed \['us'\]",
        [(MODAL_APP, 'region=["eu"]', 'region=["us"]')],
    ),
    Mutant(
        "no snapshot",
        PROXY,
        "web: snapshot: promised True, deployed False",
        [(MODAL_APP, "    enable_memory_snapshot=True,\n", "")],
    ),
    Mutant(
        "state from before the snapshot",
        PROXY,
        "RuntimeError: this connection belongs to another container",
        [
            (WEB, "\ndef create_app() -> FastAPI:\n", KEPT),
            (WEB, "from fastapi import FastAPI", "import os\n\nfrom fastapi import FastAPI"),
        ],
    ),
    Mutant(
        "a snapshot without its GPU",
        INFERENCE | {"gpu_snapshot": True},
        r"Inference\.\*: experiments: promised {'enable_gpu_snapshot': 'True'}, deployed {}",
        [(MODAL_APP, '    experimental_options={"enable_gpu_snapshot": True},\n', "")],
    ),
    Mutant(
        "another GPU",
        INFERENCE,
        r"Inference\.\*: GPUs: promised \[\('L40S', 1\)\], deployed \[\('H100', 1\)\]",
        [(MODAL_APP, 'gpu="L40S"', 'gpu="H100"')],
    ),
    Mutant(
        "passes as small as a CPU's on a GPU",
        EMBED,
        r"Inference\.\*: variables: promised .*'16384'.*, deployed .*'1024'",
        [(MODAL_APP, '"BATCH_TOKENS": "16384"', '"BATCH_TOKENS": "1024"')],
    ),
    Mutant(
        "a Volume mounted elsewhere",
        INFERENCE,
        r"Inference\.\*: volumes: promised \{'/models'.*, deployed \{'/weights'",
        [(MODAL_APP, "{MODELS_DIR: models.with", '{"/weights": models.with')],
    ),
    Mutant(
        "a download into no Volume",
        INFERENCE,
        r"download_model: volumes: promised .*, deployed \{\}",
        [(MODAL_APP, "    volumes={MODELS_DIR: models},\n", "")],
    ),
    Mutant(
        "no web function",
        PROXY,
        "web: kind: promised ASGI_APP, deployed nothing",
        [(MODAL_APP, "@modal.asgi_app(requires_proxy_auth=True)\n", "")],
    ),
    Mutant(
        "a second web function",
        PROXY,
        r"functions: promised \['web'\], deployed \['admin', 'web'\]",
        [(MODAL_APP, RETURN, ADMIN)],
    ),
    # Who may call.
    Mutant(
        "proxy auth forgotten",
        PROXY,
        "web: proxy auth: promised True, deployed False",
        [(MODAL_APP, "requires_proxy_auth=True", "")],
    ),
    Mutant(
        "proxy auth before tokens of one's own",
        BEARER,
        "web: proxy auth: promised False, deployed True",
        [(MODAL_APP, "@modal.asgi_app()", "@modal.asgi_app(requires_proxy_auth=True)")],
    ),
    Mutant(
        "tokens that nobody checks",
        BEARER,
        "open to strangers: curl .*/predict",
        [
            (
                WEB,
                "    app.add_middleware(Bearer, tokens=Tokens.from_env())\n",
                "",
            )
        ],
    ),
    Mutant(
        "sockets that open to everybody",
        WEBSOCKET,
        "the socket opens for {}",
        [(WEB, "if caller is None:", "if caller is None and isinstance(connection, Request):")],
    ),
    Mutant(
        "tools for every page",
        MCP,
        r"POST /mcp.*page\.example\.com.*: \d+, not 403",
        [(WEB, "if origin and", "if False and")],
    ),
    Mutant("a Secret that does not exist", BEARER, "Secret 'myapi' not found", secret=None),
    Mutant(
        "a Secret without its key",
        BEARER,
        r"Secret 'myapi' is missing key\(s\): API_TOKENS",
        secret={"API_TOKEN": "ann:secret"},
    ),
    Mutant(
        "a Secret that holds something else",
        BEARER,
        "API_TOKENS, entry 1: expected name:token",
        secret={"API_TOKENS": "secret"},
    ),
    Mutant(
        "a Secret whose keys nobody requires",
        BEARER,
        r"web: secrets: promised \{'myapi': \['API_TOKENS'\]\}, deployed \{'myapi': \[\]\}",
        [(MODAL_APP, '            required_keys=["API_TOKENS"],\n', "")],
    ),
    Mutant(
        "a secret in the source",
        BEARER,
        "web: variables: promised {}, deployed {'API_TOKENS'",
        [(MODAL_APP, SECRETS, f"    env={SECRET},\n")],
    ),
    # The application.
    Mutant(
        "a factory that returns None",
        BEARER,
        "'NoneType' object is not callable",
        [(MODAL_APP, RETURN, "    create_app()\n")],
    ),
    Mutant(
        "an async factory",
        BEARER,
        "InvalidError: .* can't be applied to an async function",
        [(MODAL_APP, "def web()", "async def web()")],
    ),
    Mutant(
        "a Flask application as ASGI",
        FLASK,
        "web: kind: promised WSGI_APP, deployed ASGI_APP",
        [(MODAL_APP, "@modal.wsgi_app()", "@modal.asgi_app()")],
    ),
    Mutant(
        "a Flask application as ASGI, in the container",
        FLASK,
        r"TypeError: Flask\.__call__\(\) takes 3 positional arguments",
        [(MODAL_APP, "@modal.wsgi_app()", "@modal.asgi_app()")],
        steps=serve_blindly,
    ),
    Mutant(
        "a failing start",
        BEARER,
        "ASGI lifespan startup failed(.|\n)*ConnectionError: no database",
        [
            (WEB, APP, LIFESPAN.format(start='raise ConnectionError("no database")', end="")),
            (WEB, "from fastapi import FastAPI", LIFESPAN_IMPORTS),
        ],
    ),
    Mutant(
        "a failing end",
        BEARER,
        "ASGI lifespan shutdown failed(.|\n)*ConnectionError: no database",
        [
            (WEB, APP, LIFESPAN.format(start="", end='raise ConnectionError("no database")')),
            (WEB, "from fastapi import FastAPI", LIFESPAN_IMPORTS),
        ],
    ),
    Mutant(
        "a failing handler",
        BEARER,
        "/predict.*: 500, not 200(.|\n)*ZeroDivisionError",
        [(HANDLERS, WORDS, f"    1 / 0\n{WORDS}")],
    ),
    Mutant(
        "a failure after the answer",
        BEARER,
        r"requests failed: .*KeyError\('nothing'\)",
        [
            (HANDLERS, "import APIRouter", "import APIRouter, BackgroundTasks"),
            (HANDLERS, "def predict(", "def predict(tasks: BackgroundTasks, "),
            (HANDLERS, WORDS, f'    tasks.add_task(ITEMS.pop, "nothing")\n{WORDS}'),
        ],
    ),
    Mutant(
        "an MCP server with sessions",
        MCP,
        "Session (not found|terminated)",
        [(WEB, "stateless_http=True", "stateless_http=False")],
    ),
    Mutant(
        "a cancellation that nobody notes",
        JOBS,
        "jobs in containers, cancelled_in_the_middle",
        [
            (
                NOTED,
                'status = first_to_note(self.runner.notes, f"{job_id}/end", "cancelled")',
                'status = "cancelled"',
            )
        ],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "work that goes on when it was cancelled",
        JOBS,
        "jobs in containers, cancelled_in_the_middle: it works on",
        [(NOTED, '        self.runner.cancel(self.runner.notes.get(f"{job_id}/call"))\n', "")],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "threads that begin what was cancelled",
        JOBS,
        "jobs in threads, cancelled_while_it_waits",
        [
            (
                NOTED,
                '    if notes.get(f"{job_id}/end") == "cancelled":\n        return {',
                "    if False:\n        return {",
            )
        ],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "a key that is forgotten",
        JOBS,
        "jobs in containers, one_key_one_job",
        [
            (
                NOTED,
                "if not notes.put(note, (job_id, digest), skip_if_exists=True):",
                "if not notes.put(note, (job_id, digest)):",
            )
        ],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "an error of the work that looks like one of the way",
        JOBS,
        f"jobs in containers, failures: after {jobs.SECONDS} seconds still .*running",
        [(NOTED, "        raise Crashed(type(error).__name__) from None\n", "        raise\n")],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "jobs in the container that takes requests",
        JOBS,
        "jobs in containers, failures",
        [
            (
                MODAL_APP,
                "LocalRunner() if modal.is_local() else ModalRunner(run_job, notes, watch_job)",
                "LocalRunner()",
            )
        ],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "a job that is lost with its container",
        JOBS,
        "run_job: retries: promised 1, deployed 0",
        [(MODAL_APP, "    retries=1,\n", "")],
    ),
    Mutant(
        "an end that nobody is told of",
        JOBS,
        "jobs in containers, each_end_is_told: nobody was told twice",
        [(NOTED, "            if self.watched:", "            if False:")],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "a message of another shape than README's",
        JOBS,
        "jobs in containers, each_end_is_told: README shows",
        [("README.md", '"created_at": "...", "error"', '"created": "...", "error"')],
        steps=jobs.deploy_and_check,
    ),
    Mutant(
        "a webhook that is told once",
        JOBS,
        "watch_job: retries: promised 10, deployed 0",
        [
            (
                MODAL_APP,
                "    retries=modal.Retries(max_retries=10, initial_delay=1.0, backoff_coefficient=2.0),\n",
                "",
            )
        ],
    ),
    Mutant(
        "an application that is never ready",
        BEARER,
        "GET /ready: 503, not 200",
        [(HANDLERS, "    return True\n", "    return False\n")],
    ),
    Mutant(
        "bodies without a limit",
        FLASK,
        "POST /predict, 5000000 bytes .*: 422, not 413",
        [(WEB, "max_body_bytes=settings.max_body_bytes", "max_body_bytes=10**9")],
    ),
    Mutant(
        "another application on the local server",
        FLASK,
        "the local server answers otherwise:\nHEAD /",
        [("src/myapi/serve.py", "WSGIMiddleware(web.local(),", "WSGIMiddleware(lambda *_: [],")],
    ),
    Mutant(
        "weights that were never downloaded",
        INFERENCE,
        r"ModelMissingError: .*modal run -m myapi\.modal_app::download_model",
        steps=partial(start, extra={"MODEL_DEVICE": "cpu"}),
    ),
    # An engine.
    Mutant(
        "an engine on 127.0.0.1",
        VLLM,
        r"Make sure the web server is bound to 0\.0\.0\.0",
        [(MODAL_APP, 'host = "0.0.0.0"', 'host = "127.0.0.1"')],
    ),
    Mutant(
        "an option that the engine does not know",
        VLLM,
        "the server exited with code 2",
        [(COMMAND_FILE, '"--disable-fastapi-docs"', '"--disable-docs"')],
    ),
    Mutant(
        "an engine without its gate",
        VLLM,
        r"/ping: 200 for a stranger",
        [("src/myapi/gate.py", 'elif not self.is_reachable(scope["path"]):', "elif False:")],
    ),
    Mutant(
        "an engine whose weights were never downloaded",
        VLLM,
        r"ModelMissingError: .*modal run -m myapi\.modal_app::download_model",
        steps=start,
    ),
    Mutant(
        "an engine on another Python",
        VLLM,
        "Python: promised 3.13, deployed 3.12",
        [(MODAL_APP, 'add_python="3.13"', 'add_python="3.12"')],
    ),
    Mutant(
        "compiled for nobody",
        VLLM,
        "/cache/vllm",
        [(MODAL_APP, 'f"{CACHE_DIR}/vllm"', '"/tmp/vllm"')],
    ),
    Mutant(
        "an engine that sleeps on",
        ASLEEP,
        "before callers the engine was asked",
        [(MODAL_APP, "control.Control(self.process, PORT).wake_up()", "pass")],
    ),
    Mutant(
        "a snapshot of an engine that is awake",
        ASLEEP,
        "before callers the engine was asked",
        [(MODAL_APP, "        engine.sleep()\n", "")],
    ),
    Mutant(
        "an engine that is cold",
        VLLM,
        "before callers the engine was asked",
        [(MODAL_APP, "        engine.warm_up()\n", "")],
    ),
    Mutant(
        "an engine that sleeps where nobody wakes it",
        VLLM,
        "beside callers the engine was asked",
        [
            (
                MODAL_APP,
                "engine.warm_up()",
                'engine.warm_up()\n        engine.demand("/sleep?level=1")',
            )
        ],
    ),
    Mutant(
        "SGLang without a gate",
        SGLANG,
        r"ServerError: /ping: 200 for a stranger",
        [("src/myapi/launch.py", "return Gate(build())", "return build()")],
    ),
    Mutant(
        "SGLang that is asked for more than its health",
        SGLANG,
        "SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION",
        [
            (
                MODAL_APP,
                '"SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "false"',
                '"SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "true"',
            )
        ],
    ),
    # A server in a process of its own.
    Mutant(
        "a server on 127.0.0.1",
        COMMAND,
        r"Make sure the web server is bound to 0\.0\.0\.0",
        [
            (MODAL_APP, 'host = "0.0.0.0"', 'host = "127.0.0.1"'),
            (MODAL_APP, "startup_timeout=PORT_SECONDS", "startup_timeout=1"),
        ],
    ),
    Mutant(
        "a server on another port",
        COMMAND,
        r"the server does not listen on port \d+ after 1 seconds",
        [
            (HANDLERS, 'os.environ.get("PORT", "8000")', '"0"'),
            (MODAL_APP, "wait_until_ready(PORT_SECONDS)", "wait_until_ready(1)"),
        ],
    ),
    Mutant(
        "a start that waits for the server's end",
        COMMAND,
        r"not ready after 20 seconds(.|\n)*/process\.py\", line \d+ in __init__",
        [("src/myapi/process.py", "subprocess.Popen(  #", "subprocess.run(  #")],
        steps=partial(start, seconds=20),
    ),
    Mutant(
        "a server that ends at its start",
        COMMAND,
        "the server exited with code 3",
        [(HANDLERS, LOG, f"    raise SystemExit(3)\n{LOG}")],
    ),
    Mutant(
        "a server that ends at a request",
        COMMAND,
        "the server exited with code 3",
        [(HANDLERS, 'self.answer({"status": "healthy"})', "os._exit(3)")],
    ),
    Mutant(
        "a command that does not exist",
        COMMAND,
        "ServerError: cannot start pyhton",
        [("src/myapi/command.py", '"python -m', '"pyhton -m')],
    ),
    Mutant(
        "uploads that a server refuses",
        STREAMLIT,
        "an upload is answered 413, not 204",
        [("src/myapi/command.py", '"server.maxUploadSize": "20"', '"server.maxUploadSize": "2"')],
    ),
    Mutant(
        "uploads without a limit",
        STREAMLIT,
        "an upload is answered 204, not 413",
        [("src/myapi/command.py", '"server.maxUploadSize": "20"', '"server.maxUploadSize": "200"')],
    ),
    Mutant(
        "a page that does not look at its uploads",
        STREAMLIT,
        "of 600000 words that were uploaded, 0 are counted",
        [(WEB, "handlers.decode(file.getvalue()) if file else typed", "typed")],
    ),
    Mutant(
        "a process left behind",
        COMMAND,
        "left behind: .*'sleep'",
        [
            (HANDLERS, LOG, CHILD),
            (HANDLERS, "import signal\n", "import signal\nimport subprocess\n"),
        ],
    ),
    Mutant(
        "a failing exit handler",
        COMMAND,
        "AttributeError: 'Process' object has no attribute 'halt'",
        [(MODAL_APP, "self.process.stop()", "self.process.halt()")],
    ),
    # A Modal Server.
    Mutant(
        "a Modal Server that asks for Modal's tokens",
        COMMAND_SERVER,
        "Server: proxy auth: promised False, deployed True",
        [(MODAL_APP, "    unauthenticated=True,\n", "")],
    ),
    Mutant(
        "a Modal Server that cuts off what is under way",
        COMMAND_SERVER,
        "Server: seconds of grace: promised 60, deployed 0",
        [(MODAL_APP, "    exit_grace_period=60,\n", "")],
    ),
    Mutant(
        "a Modal Server on another continent",
        COMMAND_SERVER,
        r"Server: routing regions: promised \['us-east'\], deployed \['eu-west'\]",
        [(MODAL_APP, '"us-east"', '"eu-west"')],
    ),
    Mutant(
        "a Modal Server without a limit",
        COMMAND_SERVER,
        "Server: max_inputs: promised 100, deployed 0",
        [(MODAL_APP, "    max_concurrency=100,\n", "")],
    ),
    Mutant(
        "a Modal Server that never grows",
        COMMAND_SERVER,
        "Server: target_inputs: promised 80, deployed 0",
        [(MODAL_APP, "    target_concurrency=80,\n", "")],
    ),
    Mutant(
        "a Modal Server on 127.0.0.1",
        COMMAND_SERVER,
        "nothing listens on",
        [(MODAL_APP, 'host = "0.0.0.0"', 'host = "127.0.0.1"')],
        steps=start,
    ),
    Mutant(
        "a Modal Server that leaves its process behind",
        COMMAND_SERVER,
        "left behind: .*python",
        [(MODAL_APP, "            self.process.stop()\n", "            pass\n")],
    ),
    Mutant(
        "an application on a Modal Server without uvicorn",
        WEBSOCKET_SERVER,
        "uvicorn",
        [
            (PYPROJECT, '    "uvicorn[standard]>=0.54,<1",\n', ""),
            (PYPROJECT, "dev = [\n", 'dev = [\n    "uvicorn[standard]>=0.54,<1",\n'),
        ],
    ),
]


# ---- Catching them ---------------------------------------------------------------------------------


def run(
    stage: Stage,
    template: Path,
    folder: Path,
    mutants: Sequence[Mutant] = MUTANTS,
    proved: Sequence[family.Answers] = (),
) -> list[Result]:
    """Let each mutant of this slice go through its steps, after the unbroken project of the same answers.

    Args:
        template: as `family.export` wrote it.
        folder: for the projects.
        proved: answers whose unbroken project has gone through all of it.

    Raises:
        SurvivorError: when a mutant is not caught, or for another reason than its own.
        AssertionError: when an unbroken project fails, or an edit does not fit the template any more.
    """
    passed = [family.known(answers) for answers in proved]
    groups: dict[str, list[Mutant]] = {}
    for mutant in slices.taken(sorted(mutants, key=lambda mutant: family.identify(mutant.answers))):
        groups.setdefault(family.identify(mutant.answers), []).append(mutant)
    tasks = [
        (group, folder / str(number), family.known(group[0].answers) not in passed)
        for number, group in enumerate(sorted(groups.values(), key=len, reverse=True))
    ]
    run_group = partial(_run_group, stage, template)
    # More than there are cores: they wait for containers. Those of one group may need one port.
    with ThreadPoolExecutor(max_workers=3) as pool:
        ended = [end for ends in pool.map(run_group, tasks) for end in ends]
    if survivors := [str(end) for end in ended if isinstance(end, SurvivorError)]:
        raise SurvivorError("\n".join(survivors))
    return [end for end in ended if isinstance(end, Result)]


def _run_group(
    stage: Stage, template: Path, task: tuple[Sequence[Mutant], Path, bool]
) -> list[Result | SurvivorError]:
    """Those of the same answers, in turn; first the unbroken project, where that is still to be proved."""
    group, home, is_unproved = task
    ends: list[Result | SurvivorError] = []
    answers = group[0].answers
    with ExitStack() as stack:
        if answers["style"] == "server" or "server_kind" in answers:
            answers = answers | {"server_port": stack.enter_context(perform.port())}
        unbroken = family.render(template, home / "unbroken", answers)
        locks.lock(unbroken)
        name = f"{home.parent.name}-{home.name}"
        if is_unproved:
            _prove_unbroken(stage, unbroken, answers, f"{name}-unbroken")
        for place, mutant in enumerate(group):
            project = home / f"{place}" / family.NAME
            shutil.copytree(unbroken, project)
            try:
                ends.append(_catch(stage, mutant, project, answers, f"{name}-{place}"))
            except SurvivorError as error:
                ends.append(SurvivorError(f"{mutant.name}: {error}"))
        print(f"  {family.identify(answers)}: {len(group)} mutants", flush=True)
    return ends


def _prove_unbroken(stage: Stage, project: Path, answers: family.Answers, name: str) -> None:
    stage.plane.secrets[name, family.NAME] = SECRET
    # Its container wants a model: those who have one made rehearse it.
    steps: Steps = deploy if answers["style"] == "inference" else perform.rehearse
    try:
        steps(stage, project, answers, name)
    except AssertionError as error:
        raise AssertionError(f"unbroken, {family.identify(answers)} fails: {error}") from error


def _catch(
    stage: Stage, mutant: Mutant, project: Path, answers: family.Answers, name: str
) -> Result:
    for file, text, instead in mutant.edits:
        path = project / file
        content = path.read_text()
        assert content.count(text) == 1, f"{mutant.name}: not once in {file}: {text!r}"
        path.write_text(content.replace(text, instead))
    mutant.change(project)
    if mutant.relock:
        lock(project)
    if mutant.secret is not None:
        stage.plane.secrets[name, family.NAME] = dict(mutant.secret)
    started = time.monotonic()
    try:
        mutant.steps(stage, project, answers, name)
    except AssertionError as error:
        seconds = time.monotonic() - started
        message = str(error)
        cause = re.search(mutant.message, message)
        if not cause:
            raise SurvivorError(f"caught, but not for {mutant.message!r}: {message}") from error
        line = message[message.rfind("\n", 0, cause.end()) + 1 :].partition("\n")[0]
        return Result(mutant.name, type(error).__name__, line, seconds)
    except Exception as error:
        raise SurvivorError(f"not caught, it broke the rehearsal: {error!r}") from error
    raise SurvivorError("not caught")


def lock(project: Path) -> None:
    """`uv lock`.

    Raises:
        AssertionError: with what uv printed.
    """
    projects.Project(project).uv("lock", "--quiet")
