"""The real client, deploying: forked from a process that has it imported, or as the plain command."""

import importlib
import multiprocessing
import os
import subprocess
import sys
import warnings
from pathlib import Path

import checks

# What a deploy imports, so that a fork finds it loaded; a fork also imports the program that asked for it.
WARM = [
    "modal.__main__",
    "modal.cli.run",
    "modal._output.rich",
    *checks.WARM,
    "rehearsal.__main__",
]
SECONDS = 120  # for one deployment
# What Modal or a framework will remove it warns of first. Modal leaves a file and a socket open itself.
WARNINGS = "error,ignore::ResourceWarning"


class DeployError(AssertionError):
    """The client refused or failed; the message is what it printed."""


def environment(url: str, name: str, project: Path) -> dict[str, str]:
    """The variables under which a client deploys `project` to the control plane at `url`, as Environment `name`."""
    return {
        "MODAL_SERVER_URL": url,
        "MODAL_ENVIRONMENT": name,
        "MODAL_TOKEN_ID": "ak-rehearsal",
        "MODAL_TOKEN_SECRET": "as-rehearsal",
        "MODAL_CONFIG_PATH": str(project / "no-such-modal.toml"),
        "MODAL_TRACEBACK": "1",
        "PYTHONPATH": str(project / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": WARNINGS,
    }


def fork(project: Path, package: str, url: str, name: str) -> None:
    """Deploy in a process forked from a warm one.

    Raises:
        DeployError: when the client does not end with exit code 0.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    printed = project / "deploy.log"
    process = context.Process(target=_deploy, args=(project, package, url, name, printed))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        raise DeployError(
            f"modal deploy, still there after {SECONDS} seconds:\n{printed.read_text()}"
        )
    if process.exitcode != 0:
        raise DeployError(f"modal deploy, exit code {process.exitcode}:\n{printed.read_text()}")
    printed.unlink()


def _deploy(project: Path, package: str, url: str, name: str, printed: Path) -> None:
    with printed.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment(url, name, project))
    os.chdir(project)
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)
    sys.path.insert(0, str(project / "src"))
    sys.argv = ["modal", "deploy", "-m", f"{package}.modal_app"]
    importlib.import_module("modal.__main__").main()


def command(project: Path, commands: str, url: str, name: str) -> str:
    """Give shell commands of the README to a shell in the project; `uv run` takes the tools of this environment.

    Returns:
        What they print.

    Raises:
        DeployError: when one fails.
    """
    tools = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    run = subprocess.run(
        ["bash", "-e", "-c", 'uv() { shift; "$@"; }\n' + commands],
        cwd=project,
        env=os.environ | tools | environment(url, name, project),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if run.returncode != 0:
        raise DeployError(f"{commands}\nexit code {run.returncode}:\n{run.stdout}{run.stderr}")
    return run.stdout + run.stderr
