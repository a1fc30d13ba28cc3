"""What a run tells: its log, values for GitLab."""

import os
from pathlib import Path


class Problem(Exception):
    """What went wrong and what to do about it, in sentences for whoever reads the log."""


def say(text: str) -> None:
    """Print it."""
    print(text, flush=True)


def output(name: str, value: str) -> None:
    """Keep it as a variable: https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv."""
    if path := os.environ.get("OUTPUT_FILE"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")
