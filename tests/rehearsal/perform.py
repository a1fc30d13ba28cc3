"""One project from its first deployment to the end of its container."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import family

from . import drive, promise
from .plane import Deployment
from .stage import Stage

# The block of README that deploys, without what needs an account, a hub, or never ends.
BLOCK = re.compile(
    r"^```bash\n((?:(?!^```).*\n)*?.*modal deploy.*\n(?:(?!^```).*\n)*)^```$", re.MULTILINE
)
SKIPPED = re.compile(r"modal (setup|serve|run|app logs)|^echo")
DEPLOY = re.compile(r"^uv run modal deploy .*$", re.MULTILINE)
# Printed by a project's own tests, given a folder: the variables with which their stand-in for an engine is found.
ENGINE = """
import json, sys
from pathlib import Path
import stand_in
print(json.dumps(stand_in.variables(Path(sys.argv[1]))))
"""
# Keeps the model that the project's own tests make.
KEEP = """
import os, shutil
def test_keep(models_dir): shutil.copytree(models_dir, os.environ["KEPT"])
"""


@dataclass
class Performance:
    """What was done with one project."""

    name: str
    promises: int = 0
    requests: int = 0
    compared: int = 0  # requests that the local server was asked too
    modules: int = 0  # of the project, loaded in the container


@contextlib.contextmanager
def port() -> Iterator[int]:
    """A port for a server that has to be told one, kept from everybody else meanwhile.

    It stays bound, but nobody listens: a server that reuses addresses, as all do, can take it, a search for a
    free port cannot.
    """
    with socket.socket() as lease:
        lease.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        lease.bind(("0.0.0.0", 0))  # noqa: S104 (where the server will listen)
        yield int(lease.getsockname()[1])


def documented_deploy(project: Path) -> str:
    """The commands by which README has its reader deploy.

    Raises:
        AssertionError: when README has none.
    """
    block = BLOCK.search((project / "README.md").read_text())
    assert block, "README does not say how to deploy"
    return "\n".join(line for line in block[1].splitlines() if not SKIPPED.search(line))


def deploy_as_documented(stage: Stage, project: Path, name: str) -> Deployment:
    """Deploy by README's own commands, each a process of its own, and once more; the second changes no id.

    Raises:
        DeployError: when a command fails.
        AssertionError: when the second deployment does not replace the first.
    """
    commands = documented_deploy(project)
    stage.command(project, commands, name)
    first = dict(stage.plane.deployments[name].function_ids)
    (again,) = DEPLOY.findall(commands)
    stage.command(project, again, name)
    app = stage.plane.deployments[name]
    assert app.published == 2, f"published {app.published} times, not twice"
    assert app.function_ids == first, "the second deployment made new functions"
    return app


def rehearse(stage: Stage, project: Path, answers: family.Answers, name: str) -> Performance:
    """Deploy a rendered and locked project by the warm client, hold it against its answers, serve it, drive it.

    Raises:
        AssertionError: of one kind or another, at the first thing that is not as it should be.
    """
    known = family.known(answers)
    app = stage.deploy(project, known["package_name"], name)
    done = Performance(name, promises=promise.check(app, answers, project))
    serve(stage, app, project, answers, done)
    return done


def serve(
    stage: Stage, app: Deployment, project: Path, answers: family.Answers, done: Performance
) -> None:
    """Run a container of a deployed project and ask it everything."""
    known = family.known(answers)
    kind, auth, is_server = family.kind(answers), str(known["auth"]), bool(known["modal_server"])
    volumes, extra = {}, {}
    if known["style"] == "inference":
        volumes = {"/models": tiny_model(project)}
        extra = {"MODEL_DEVICE": "cpu"}  # the one thing that is not as deployed: there is no GPU
    if kind in drive.ENGINES:
        volumes = {"/models": no_model(project, known)}
        extra = engine(project)
    with contextlib.ExitStack() as stack:
        if kind == "jobs":
            stack.enter_context(stage.working(app, "run_job"))
        served = stack.enter_context(stage.served(app, volumes=volumes, extra=extra))
        worker = served.container.worker
        caller = credentials(stage, app, str(known["project_slug"]))
        token = caller.get("TOKEN", "") if auth == "bearer" else ""
        there = {**os.environ, **caller, "URL": served.url}
        done.requests += drive.documented(project, there, exact=known["style"] != "inference")
        done.requests += drive.strangers(project, served.url, kind, auth, is_server)
        done.requests += drive.healthy(served.url, kind)
        done.requests += drive.bad_input(served.url, kind, token)
        done.requests += drive.at_once(served.url, kind, token)
        done.requests += drive.streams(served.url, kind, token)
        done.requests += drive.held_open(served.url, kind, token, worker)
        done.requests += drive.closed_pages(served.url, kind, auth)
        done.requests += drive.socket_messages(served.url, kind, token, worker, is_server)
        secrets = stage.plane.secrets.get((app.environment, str(known["project_slug"])), {})
        package = str(known["package_name"])
        with drive.local_server(project, package, os.environ | secrets) as local:
            done.requests += drive.sessions(kind, served.url, local, token)
            done.compared, found = drive.differences(kind, served.url, local, token, is_server)
            assert not found, "the local server answers otherwise:\n" + "\n".join(found)
    if kind in drive.ENGINES:
        check_sleep(Path(extra["NOTES"]), kind, str(known["snapshots"]))
    if function_snapshots(app) and not worker.snapshots:
        raise AssertionError("no snapshot was taken")
    done.modules = served.modules


def function_snapshots(app: Deployment) -> bool:
    return any(function.checkpointing_enabled for function in app.functions.values())


def credentials(stage: Stage, app: Deployment, slug: str) -> Mapping[str, str]:
    """What a caller has: the variables that README has him set, from the Secret that README had made."""
    values = stage.plane.secrets.get((app.environment, slug), {})
    caller = {"MODAL_KEY": "wk-unused-here", "MODAL_SECRET": "ws-unused-here"}
    if "LOGIN_USERS" in values:
        caller["LOGIN_USERS"] = values["LOGIN_USERS"]
    if "API_TOKENS" in values:
        caller["TOKEN"] = values["API_TOKENS"].partition(":")[2]
    return caller


def engine(project: Path) -> dict[str, str]:
    """Variables by which a container finds, in the place of the engine, what stands for it in the project's own tests.

    It takes the options of the engine and no others.
    """
    folder = project / "engine"
    folder.mkdir(exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-c", ENGINE, str(folder)],
        env={
            **os.environ,
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(project / "tests"), str(project / "src")]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    variables: dict[str, str] = json.loads(run.stdout)
    return variables


def check_sleep(notes: Path, kind: str, snapshots: str) -> None:
    """An engine is warmed up, and only one that is in a snapshot is put to sleep and woken, before anybody is let in.

    Raises:
        AssertionError: when that is not what it noted.
    """
    _, *asked = notes.read_text().splitlines()
    asleep = promise.SLEEPS[kind]
    expected = ["/v1/completions", *(asleep if snapshots else ())]
    first = asked[: len(expected)]
    assert first == expected, f"before callers the engine was asked {first}, not {expected}"
    others = {*asked[len(expected) :]} & {*asleep}
    assert not others, f"beside callers the engine was asked {others}"


def no_model(project: Path, known: family.Answers) -> Path:
    """A folder as if a model had been downloaded that holds nothing."""
    kept = project / "kept-model"
    commit, revision = "0" * 40, str(known["model_revision"])
    home = kept / ("models--" + str(known["model_id"]).replace("/", "--"))
    (home / "snapshots" / commit).mkdir(parents=True, exist_ok=True)
    (home / "snapshots" / commit / "config.json").write_text("{}")
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / revision).write_text(commit)
    return kept


def tiny_model(project: Path) -> Path:
    """A folder with the tiny model that the project's own tests make, as if it had been downloaded.

    Raises:
        AssertionError: with what pytest printed, when it cannot be made.
    """
    kept = project / "kept-model"
    if not kept.exists():
        test = project / "tests" / "test_keep.py"
        test.write_text(KEEP)
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "--quiet", str(test)],
            cwd=project,
            env=os.environ
            | family.OWN_PLUGINS
            | {"PYTHONPATH": str(project / "src"), "KEPT": str(kept)},
            capture_output=True,
            text=True,
            check=False,
        )
        test.unlink()
        assert run.returncode == 0, run.stdout + run.stderr
    return kept
