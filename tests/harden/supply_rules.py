"""Ruff's security rules hold in every project: on, ignored only where tests need it, and each `noqa` with its reason."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from harden.report import Options, Row
from harden.supply_files import File, Files, lay

NOQA = re.compile(r"# noqa: (?P<codes>[A-Z]+\d+(?:, ?[A-Z]+\d+)*)(?P<reason> +\(?\w.+)?$")
TESTS = "tests/*"
# What is broken: (file, its text, what is said)
MUTANTS = {
    "rules are off": ("pyproject.toml", '[tool.ruff.lint]\nselect = ["E"]\n', "S is not on"),
    "ignored in src": (
        "pyproject.toml",
        '[tool.ruff.lint]\nextend-select = ["S"]\nper-file-ignores = {"src/*" = ["S104"]}\n',
        "ignored in src/*",
    ),
    "ignored everywhere": (
        "pyproject.toml",
        '[tool.ruff.lint]\nextend-select = ["S"]\nignore = ["S104"]\n',
        "ignored everywhere",
    ),
    "ignored for nothing": (
        "pyproject.toml",
        '[tool.ruff.lint]\nextend-select = ["S"]\nper-file-ignores = {"tests/*" = ["S324"]}\n',
        "no test needs it",
    ),
    "a shell": (
        "src/myapi/a.py",
        'import subprocess\n\nsubprocess.run("ls", shell=True)\n',
        "S602",
    ),
    "no reason": ("src/myapi/a.py", 'HOST = "0.0.0.0"  # noqa: S104\n', "no reason"),
    "everything is ignored": ("src/myapi/a.py", 'HOST = "0.0.0.0"  # noqa\n', "names no rule"),
}


def run(options: Options, files: Files) -> Iterator[Row]:
    settings = {file for file in files if file[0] == "pyproject.toml"}
    python = {file for file in files if file[0].endswith(".py")}
    failures = tuple(problems(options.folder / "rules", settings, python))
    outcome = f"security rules on; {len(settings)} pyproject.toml, {len(python)} sources"
    yield Row("supply", "ruff's rules", len(settings | python), 100, failures, outcome)
    missed = []
    for number, (what, (path, text, says)) in enumerate(MUTANTS.items()):
        file = {(path, text)}
        toml, source = (file, set()) if path.endswith(".toml") else (set(), file)
        said = list(problems(options.folder / f"broken rules {number}", toml, source))
        if not any(says in line for line in said):
            missed.append(f"{what}: nobody says {says!r}, only {said}")
    caught = f"{len(MUTANTS) - len(missed)} mutants caught"
    yield Row("supply", "ruff's rules, broken", len(MUTANTS), len(MUTANTS), tuple(missed), caught)


def problems(folder: Path, settings: set[File], python: set[File]) -> Iterator[str]:
    laid = lay(folder, python)
    found = ruff(folder, "--select=S") if python else []
    needed = {code for path, code in found if laid[path][0].startswith("tests/")}
    ignored = set[str]()
    for _, content in settings:
        lint = tomllib.loads(content)["tool"]["ruff"]["lint"]
        if "S" not in lint.get("extend-select", []):
            yield "pyproject.toml: S is not on"
        if everywhere := {code for code in lint.get("ignore", []) if re.match(r"S\d", code)}:
            yield f"pyproject.toml: {everywhere} ignored everywhere"
        for where, codes in lint.get("per-file-ignores", {}).items():
            ignored |= set(codes)
            if where != TESTS:
                yield f"pyproject.toml: {codes} ignored in {where}"
            if spare := {code for code in codes if code.startswith("S")} - needed:
                yield f"pyproject.toml: {spare} ignored in {where}, and no test needs it"
    for path, code in found:
        name = laid[path][0]
        if not (name.startswith("tests/") and code in ignored):
            yield f"{name}: {code}"
    yield from sorted({f"{name}: {line}" for name, text in python for line in reasonless(text)})


def ruff(folder: Path, *options: str) -> list[tuple[Path, str]]:
    """Which rule speaks in which file, whatever the projects' own settings say."""
    command = ["ruff", "check", "--isolated", "--no-cache", "--output-format=json", *options]
    run = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert run.returncode in {0, 1}, run.stderr
    return [(Path(each["filename"]), each["code"]) for each in json.loads(run.stdout)]


def reasonless(text: str) -> Iterator[str]:
    """The reason stands behind the rule's number, or in a comment on the line above."""
    lines: Sequence[str] = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if "# noqa" not in line:
            continue
        noqa = NOQA.search(line)
        if not noqa:
            yield f"it names no rule: {line.strip()}"
        elif "S" in re.sub(r"\d", "", noqa["codes"]).split(", ") and not (
            noqa["reason"] or above.lstrip().startswith("#")
        ):
            yield f"no reason: {line.strip()}"
