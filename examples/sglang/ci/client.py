"""Modal's command line and API, as the pipelines use them."""

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import modal

from .project import APP, AUTH, DOMAIN, FUNCTION
from .report import Problem, say

# What a caller needs, and so the smoke test.
CALLER = ("SMOKE_TOKEN",) if AUTH != "none" else ()


class CommandError(Exception):
    """A command failed; its text is what the command printed."""

    def last_line(self) -> str:
        """The end of it, without the frame that Modal draws around its errors."""
        lines = [line.strip(" │╭╮╰╯─") for line in str(self).splitlines()]
        return next((line for line in reversed(lines) if line), "nothing")


def are_credentials_there(*names: str) -> bool:
    """Whether these and Modal's are there. None, where nothing was set up yet, is said and no error; a part is one.

    Raises:
        Problem: names those that are missing.
    """
    in_ci = bool(os.environ.get("CI"))  # a laptop is signed in by `modal setup`
    needed = [*(["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"] if in_ci else []), *names]
    missing = [name for name in needed if not os.environ.get(name)]
    if not missing:
        return True
    if missing != needed or not in_ci or os.environ.get("DEPLOY_FROM_CI"):
        raise Problem(
            f"Nothing was deployed: {', '.join(missing)} is not set. README.md says what goes there,"
            ' under "Deploy from CI".'
        )
    say(
        f"Nothing was deployed, as nothing is set up yet: set {', '.join(needed)}. README.md says how,"
        ' under "Deploy from CI".'
    )
    return False


def leave_the_domain_alone() -> None:
    """Refuse to deploy beside production what names the same domain."""
    if DOMAIN:
        raise Problem(
            f"Nothing was deployed: beside production, {DOMAIN} would be claimed twice. Deploy with"
            " `uv run python -m ci.deploy production`."
        )


def run(*arguments: str) -> str:
    """Run `modal …`; show what it prints, and return it.

    Raises:
        CommandError: when it fails.
    """
    command = ["modal", *arguments]
    print("$", shlex.join(command), flush=True)
    printed = ""
    with subprocess.Popen(  # noqa: S603  (no shell, and `uv run` puts the project's own modal first)
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            printed += line
    if process.returncode:
        raise CommandError(printed.strip())
    return printed


def ask(*arguments: str) -> list[dict[str, Any]]:
    """The table that `modal … --json` prints.

    Raises:
        CommandError: when it fails.
    """
    command = ["modal", *arguments, "--json"]
    done = subprocess.run(  # noqa: S603  (as above)
        command, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandError((done.stdout + done.stderr).strip())
    table: list[dict[str, Any]] = json.loads(done.stdout)
    return table


def commit() -> str:
    """What is checked out, by which a deployment is tagged."""
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  (fixed)
    return done.stdout.strip()


def url(environment: str) -> str:
    """Where the deployed web function answers."""
    name, _, method = FUNCTION.partition(".")
    with problems(f"does not say where {APP} answers in {environment}"):
        if method:
            instance = modal.Cls.from_name(APP, name, environment_name=environment)()
            return str(getattr(instance, method).get_web_url())
        function = modal.Function.from_name(APP, name, environment_name=environment)
        return str(function.get_web_url())


def cap(environment: str) -> None:
    """Let one container run at most, and none while nobody calls; until the next deployment."""
    name, _, method = FUNCTION.partition(".")
    with problems(f"does not set max_containers of {APP} in {environment}"):
        if method:
            instance = modal.Cls.from_name(APP, name, environment_name=environment)()
            instance.update_autoscaler(min_containers=0, max_containers=1, buffer_containers=0)
        else:
            function = modal.Function.from_name(APP, name, environment_name=environment)
            function.autoscaler.update(min_containers=0, max_containers=1, buffer_containers=0)


@contextlib.contextmanager
def problems(what: str) -> Iterator[None]:
    """Raise a Problem where Modal's API refuses, or cannot be reached."""
    try:
        yield
    except modal.exception.Error as error:
        raise Problem(f"Modal {what}: {error}") from None
