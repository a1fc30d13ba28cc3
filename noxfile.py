"""Every check and every chore of the template.

nox                         the whole proof, as CI runs it
nox -s quick                what to run before a push
nox -s rehearse -- flask    deploy and serve these on a Modal that is only on this machine
nox -s release -- 1.2.0     prepare a release: prove its updates, give CHANGELOG.md its heading, commit
nox -s try -- flask auth=bearer   render a project, install it, test it, serve it
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))
import slices

STYLES = sorted(path.stem for path in (ROOT / "styles").glob("*.yml"))

nox.needs_version = ">=2025.2.9"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["proofs", "harden"]
# What `proofs` runs, two at a time, the long ones first after `lint`, and `rehearse` once `matrix` has left what it rendered.
PROOFS = (
    *("lint", "matrix", "update", "project", "rehearse", "workflows", "broken", "docs", "engine"),
    *("questions", "lowest", "hooks", "examples", "newcomer"),
)

# All proofs share one environment: what every style installs is large, and the same each time.
PROOF = ROOT / ".nox" / "proof"
proof = nox.session(venv_backend="none")


def run(session: nox.Session, command: str, *arguments: str, modal: str = "") -> None:
    """Run a command of the shared environment, which is made or renewed where needed.

    With `modal`, which is what pip calls a requirement (`modal==1.6.4`), it is an environment with that instead.
    """
    home = ROOT / ".nox" / modal.replace("==", "-") if modal else PROOF
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    wanted, pinned = (
        Path(ROOT, name).read_text() for name in ("requirements.txt", "constraints.txt")
    )
    if modal:
        pinned = re.sub("^modal==.*$", modal, pinned, flags=re.MULTILINE)
    installed = home / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted + pinned:
        session.run(sys.executable, "-m", "venv", "--clear", str(home), external=True)
        constraints = home / "constraints.txt"
        constraints.write_text(pinned)
        python = str(scripts / "python")
        install = ("install", "--quiet", "--constraint", str(constraints))
        # By pip, whose settings say where the build of torch for CPUs is; by uv in a tenth of the time.
        pip = (python, "-m", "pip", *install, "--no-compile", "torch", "uv")
        session.run(*pip, external=True)
        uv = (str(scripts / "uv"), "pip", *install, "--python", python)
        session.run(*uv, "--requirements", str(ROOT / "requirements.txt"), external=True)
        installed.write_text(wanted + pinned)
    path = os.pathsep.join((str(scripts), os.environ["PATH"]))
    # Many processes import the same: what one has compiled, the next need not.
    env = {"PATH": path, "PYTHONDONTWRITEBYTECODE": None}
    session.run(str(scripts / command), *arguments, env=env, external=True)


def run_module(session: nox.Session, name: str, *arguments: str, modal: str = "") -> None:
    """Run a package of tests/ as a program."""
    with session.chdir(ROOT / "tests"):
        run(session, "python", "-m", name, *arguments, modal=modal)


# It rests on what Copier itself does with paths.
LAYOUT = "tests/test_layout.py"
# Tests that have sessions of their own.
DOCS = ("test_prompts.py", "test_docs.py", "test_building.py")
ELSEWHERE = (
    *DOCS,
    "browser",
    "pipelines",
    "test_project.py",
    "test_broken_projects.py",
    "test_engine.py",
    "test_modernize.py",
    "test_rendered_workflows.py",
    "test_update_cli.py",
)


@proof
def lint(session: nox.Session) -> None:
    """Style and types of the template's tooling, and of every file in it that is plain Python."""
    run(session, "ruff", "check")
    run(session, "ruff", "format", "--check")
    run(session, "mypy")


@proof
def proofs(session: nox.Session) -> None:
    """All proofs but `harden`, two at a time; of mutants and the like the slice of the day, `-- all` takes all, `-- 1` slice 1."""
    run(session, "python", "--version")  # all need the environment: it is made before
    which = " ".join(session.posargs) or slices.of_the_day()
    if which not in (*slices.NUMBERS, "all"):
        session.error(f"There is no slice {which}: {', '.join(slices.NUMBERS)} or all")
    slice_ = {} if which == "all" else {"SLICE": which}

    def prove(name: str) -> bool:
        started = time.monotonic()
        command = [sys.executable, "-m", "nox", "--sessions", name]
        ended = subprocess.run(  # noqa: S603
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | slice_,
        )
        print(f"{ended.stdout}{name} ended after {time.monotonic() - started:.0f} s", flush=True)
        return ended.returncode == 0

    with ThreadPoolExecutor(2) as pool:
        passed = dict(zip(PROOFS, pool.map(prove, PROOFS), strict=True))
    if failed := [name for name in PROOFS if not passed[name]]:
        session.error(f"Something failed in {', '.join(failed)}, see above")


@proof
def questions(session: nox.Session) -> None:
    """Questions, refusals, hostile answers, the layout, and the mutants that the checks must catch."""
    run(session, "pytest", "--plain", "--in-memory", LAYOUT, "--numprocesses=2")
    run(
        session,
        "pytest",
        "tests",
        "--in-memory",
        "--numprocesses=2",
        f"--ignore={LAYOUT}",
        *(f"--ignore=tests/{name}" for name in ELSEWHERE),
        *session.posargs,
    )


@nox.session(reuse_venv=True)
def lowest(session: nox.Session) -> None:
    """The layout, which rests on how Copier joins paths, and updates, on the lowest Copier that copier.yml allows."""
    (least,) = re.findall(
        r'^_min_copier_version: "(.+)"$', (ROOT / "copier.yml").read_text(), re.MULTILINE
    )
    session.install(f"copier=={least}", "pytest", "pyyaml")
    session.run("pytest", "--plain", "--in-memory", LAYOUT, "tests/test_update_cli.py")


@proof
def matrix(session: nox.Session) -> None:
    """Every combination of answers rendered, parsed, linted, formatted and imported."""
    run(session, "python", "tests/matrix.py", *session.posargs)


@proof
def project(session: nox.Session) -> None:
    """Projects as their users have them: installed, tested, served, called, ended; `-- flask` for one style."""
    style = [f"--style={word}" for word in session.posargs if word in STYLES]
    rest = [word for word in session.posargs if word not in STYLES]
    # More than there are cores, here and below: most of the time they wait for servers.
    tests = ("tests/test_project.py", "--numprocesses=4", "--dist=loadgroup")
    run(session, "pytest", *tests, *style, *rest)


@proof
def broken(session: nox.Session) -> None:
    """Projects broken in one place each, which the checks of `project` must catch."""
    tests = ("tests/test_broken_projects.py", "--numprocesses=3", "--dist=loadgroup")
    run(session, "pytest", *tests, *session.posargs)


@proof
def engine(session: nox.Session) -> None:
    """The inference style's own tests with real torch and transformers, on a model made on the spot."""
    tests = ("tests/test_engine.py", "--in-memory", "--numprocesses=2")
    run(session, "pytest", *tests, *session.posargs)


@proof
def browser(session: nox.Session) -> None:
    """Every page of a project in a real browser, and pages broken in one way each; `-- --write` takes README's pictures."""
    run(session, "pytest", "tests/browser", "--numprocesses=2", *session.posargs)


@proof
def rehearse(session: nox.Session) -> None:
    """Everything deployed by the real client and served by its container runtime; `-- flask bearer` chooses."""
    run_module(session, "rehearsal", *session.posargs)


@proof
@nox.parametrize("which", ["lowest", "newest"], ids=["lowest", "newest"])
def rehearse_on(session: nox.Session, which: str) -> None:
    """The same on the lowest Modal that projects allow, and on the newest there is."""
    (least,) = re.findall(
        "modal>=([0-9.]+),<", (ROOT / "template/pyproject.toml.jinja").read_text()
    )
    modal = f"modal=={least}" if which == "lowest" else "modal"
    run_module(session, "rehearsal", *session.posargs, modal=modal)


@proof
def hooks(session: nox.Session) -> None:
    """hooks/modernize.py on old code of every kind, held against the installed client."""
    tests = ("tests/test_modernize.py", "--in-memory", "--numprocesses=2")
    run(session, "pytest", *tests, *session.posargs)


@proof
def workflows(session: nox.Session) -> None:
    """A project's weekly update and commit hook, with real Git, Copier, uv and pre-commit; its deployments and previews."""
    tests = (
        "tests/test_rendered_workflows.py",
        "tests/pipelines",
        "--in-memory",
        "--numprocesses=3",
        "--dist=worksteal",
    )
    run(session, "pytest", *tests, *session.posargs)


@proof
def update(session: nox.Session) -> None:
    """From every release to this: nothing of an owner's is lost; another answer is a fresh render. `-- all` tries all pairs."""
    run(session, "pytest", "tests/test_update_cli.py", "--in-memory", "--numprocesses=2")
    run_module(session, "updates", *session.posargs)


@proof
def release(session: nox.Session) -> None:
    """Commit a release: nox -s release -- X.Y.Z."""
    import releases

    if len(session.posargs) != 1:
        session.error("Say which: nox -s release -- X.Y.Z")
    try:
        releases.prepare(session.posargs[0], lambda: prove_release(session))
    except releases.ReleaseError as refusal:
        session.error(str(refusal))


def prove_release(session: nox.Session) -> None:
    """What a release must not break: the promises of earlier ones, and updates from each."""
    run(session, "pytest", "tests/test_public.py", "tests/test_releases.py")
    run_module(session, "updates")


@proof
def examples(session: nox.Session) -> None:
    """Compare examples/ with what the template renders, docs/checked.md with the checks; `-- write` rewrites both."""
    run(session, "python", "tests/examples.py", *session.posargs)
    run(session, "python", "tests/checked.py", *session.posargs)


@nox.session(reuse_venv=True)
def bench(session: nox.Session) -> None:
    """The inference style beside other ways to serve the same model; `-- --quick` tries it, `-- --write` writes the tables."""
    session.install("-r", "benchmarks/requirements.txt", "-c", "constraints.txt")
    session.run("python", "-m", "benchmarks", *session.posargs)


@proof
def harden(session: nox.Session) -> None:
    """Load, faults, bad input, hostile answers, supply chain: the slice of the day; `-- --full --write` takes it all, in an hour."""
    if not session.posargs:
        session.env["SLICE"] = os.environ.get("SLICE", slices.of_the_day())
    run_module(session, "harden", *session.posargs)


@proof
def overhead(session: nox.Session) -> None:
    """What stands around the handlers, beside the bare framework, in CPU time; `-- --write` writes the table."""
    run(session, "python", "-m", "benchmarks.overhead", *session.posargs)


@proof
def quick(session: nox.Session) -> None:
    """A few minutes: lint, questions, and each style and auth once through the matrix; of mutants the slice of the day."""
    session.env["SLICE"] = os.environ.get("SLICE", slices.of_the_day())
    lint.func(session)
    questions.func(session)
    run(session, "python", "tests/matrix.py", "--sample")


@proof
def docs(session: nox.Session) -> None:
    """The dialogue in a terminal, every command of README and docs, and the steps by which docs add a style."""
    tests = (f"tests/{name}" for name in DOCS)
    run(session, "pytest", *tests, "--in-memory", "--numprocesses=2", *session.posargs)


@proof
def newcomer(session: nox.Session) -> None:
    """What README has a newcomer do, to the letter, with the time of each step: five minutes are the most."""
    run(session, "python", "tests/newcomer.py")


@nox.session(name="try", reuse_venv=True)
def try_(session: nox.Session) -> None:
    """Render a project, install, test and serve it: nox -s try -- [STYLE] [NAME=VALUE ...] [--port=N]."""
    options = [word for word in session.posargs if word.startswith("--")]
    style, *answers = [word for word in session.posargs if word not in options] or ["api"]
    session.install("copier", "uv", "-c", "constraints.txt")
    project = ROOT / ".nox" / "tried" / "myapi"
    shutil.rmtree(project, ignore_errors=True)
    data = [part for answer in (f"style={style}", *answers) for part in ("--data", answer)]
    session.run("copier", "copy", "--defaults", "--vcs-ref=HEAD", *data, str(ROOT), str(project))
    session.chdir(project)
    own = {"VIRTUAL_ENV": None}  # uv makes the project's environment in the project
    session.run("uv", "sync", env=own)
    session.run("uv", "run", "pytest", env=own)
    session.run("uv", "run", "myapi", *options, env=own)
