"""What a run tells: its log, the page of the run, values for later steps."""

import os
from pathlib import Path


class Problem(Exception):
    """What went wrong and what to do about it, in sentences for whoever reads the run."""


def say(text: str) -> None:
    """Print it, and show it on the page of the run where there is one."""
    print(text, flush=True)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n\n")


def output(name: str, value: str) -> None:
    """Keep it for later steps."""
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")
