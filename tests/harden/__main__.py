"""`python -m harden [--full] [--write] [PART …]`; see the package."""

import argparse
import importlib
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import family
from harden.report import Options, Row, table

DOCUMENT = family.ROOT / "docs/reliability.md"
PARTS = (
    "limits",
    "contracts",
    "generated",
    "sockets",
    "faults",
    "crowd",
    "load",
    "answers",
    "supply",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="harden")
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--full", action="store_true", help="everything, which takes an hour")
    parser.add_argument("--write", action="store_true", help="the table in docs/reliability.md too")
    arguments = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harden") as folder:
        os.environ.update(family.isolate(Path(folder, "home")))
        template = family.export(Path(folder, "template"))
        options = Options(arguments.full, Path(folder), template)
        rows = list(tried(arguments.parts or PARTS, options))
    text = f"{table(rows)}\n\n{machine()}, {(time.monotonic() - started) / 60:.0f} minutes.\n"
    print(f"\n{text}")
    if arguments.write:
        marked = re.compile(r"(<!-- harden: begin -->\n).*?(<!-- harden: end -->)", re.DOTALL)
        DOCUMENT.write_text(marked.sub(lambda m: f"{m[1]}{text}{m[2]}", DOCUMENT.read_text()))
    if any(row.problems() for row in rows):
        sys.exit("not all of it held")


def machine() -> str:
    """On what the figures were taken, and with which versions."""
    packages = ("fastapi", "starlette", "flask", "django", "uvicorn", "uvloop", "schemathesis")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def tried(parts: tuple[str, ...], options: Options) -> Iterator[Row]:
    """Run parts, saying how each row ended as soon as it has."""
    for part in parts:
        started = time.monotonic()
        for row in importlib.import_module(f"harden.{part}").run(options):
            print(f"{part}: {row.what}: {row.cases:,} cases, {row.outcome}", flush=True)
            for problem in row.problems():
                print(f"  FAILED {problem}", flush=True)
            yield row
        print(f"{part}: {time.monotonic() - started:.0f} seconds", flush=True)


if __name__ == "__main__":
    main()
