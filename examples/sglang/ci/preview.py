"""A Modal Environment for each pull or merge request: made, renewed, and deleted with all that is in it.

`uv run python -m ci.preview up 17` and `uv run python -m ci.preview down 17`
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from . import client, smoke
from .project import APP, MODULE, PREPARE, SECRET_KEYS
from .report import Problem, output, say


def environment_of(number: int) -> str:
    """Several projects share a workspace, so the name holds the app's; Modal takes 64 characters."""
    return f"{APP.replace('.', '-')[:48]}-pr-{number}"


def up(number: int) -> str:
    """Deploy what is checked out to the preview of this number; a sentence on what came of it.

    Raises:
        Problem: when there is no preview, or it does not answer.
    """
    client.leave_the_domain_alone()
    secrets = preview_secrets()
    environment = environment_of(number)
    try:
        if environment not in environments():
            client.run("environment", "create", environment)
        if secrets:
            with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
                json.dump(secrets, file)
                file.flush()
                client.run(
                    "secret",
                    "create",
                    APP,
                    "--force",
                    "--from-json",
                    file.name,
                    "--env",
                    environment,
                )
        if PREPARE:
            client.run("run", "-m", PREPARE, "--env", environment)
        client.run(
            "deploy",
            "-m",
            MODULE,
            "--env",
            environment,
            "--tag",
            client.commit(),
            "--strategy",
            "recreate",
        )
    except client.CommandError as error:
        raise Problem(f"No preview of {client.commit()[:12]}: {error.last_line()}") from None
    client.cap(environment)
    url = client.url(environment)
    output("url", url)
    try:
        return f"{url} has {client.commit()[:12]}: {smoke.check(url)}."
    except smoke.SmokeError as error:
        raise Problem(
            f"{url} has {client.commit()[:12]}, which fails the smoke test: {error}."
        ) from None


def down(number: int) -> str:
    """Delete the preview of this number, if there is one; a sentence on what came of it."""
    environment = environment_of(number)
    try:
        if environment not in environments():
            return ""
        client.run("environment", "delete", environment, "--yes")
    except client.CommandError as error:
        raise Problem(
            f"The Modal Environment {environment} is not deleted: {error.last_line()}"
        ) from None
    return f"The preview is deleted, and with it the Modal Environment {environment}."


def environments() -> set[str]:
    return {row["name"] for row in client.ask("environment", "list")}


def preview_secrets() -> dict[str, str]:
    """The keys that the project's Modal Secret needs, out of PREVIEW_SECRETS, a JSON object.

    Raises:
        Problem: when it is none, or lacks a key.
    """
    if not SECRET_KEYS:
        return {}
    try:
        given = json.loads(os.environ["PREVIEW_SECRETS"])
        values = {key: str(given[key]) for key in SECRET_KEYS}
    except (ValueError, TypeError, KeyError):  # what it holds is not to be shown
        raise Problem(
            f"PREVIEW_SECRETS must be a JSON object with these keys: {', '.join(SECRET_KEYS)}."
        ) from None
    return values


def main() -> None:
    parser = argparse.ArgumentParser(prog="ci.preview", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("number", type=int)
    parser.add_argument("--comment", type=Path, help="write what came of it here as well")
    arguments = parser.parse_args()
    needed = [*client.CALLER, *(["PREVIEW_SECRETS"] if SECRET_KEYS else [])]
    status = 0
    try:
        if not client.are_credentials_there(*(needed if arguments.action == "up" else [])):
            return
        text = up(arguments.number) if arguments.action == "up" else down(arguments.number)
    except Problem as problem:
        text, status = str(problem), 1
    if text:
        say(text)
        if arguments.comment:
            arguments.comment.write_text(f"{text}\n", encoding="utf-8")
            output("comment", "true")
    sys.exit(status)


if __name__ == "__main__":
    main()
