"""`python -m harden [--full] [--write] [PART …]`; see the package."""

import argparse
import multiprocessing
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import family
from harden.report import Options, Row, line, table, try_part

BEGIN, END = "<!-- harden: begin -->", "<!-- harden: end -->"
DOCUMENT = family.ROOT / "docs/reliability.md"
# The longest first: two of them run at a time.
BESIDE = ("answers", "contracts", "limits", "sockets", "faults", "generated", "supply")
ALONE = ("crowd", "load")  # they take all that the machine has
PARTS = (*BESIDE, *ALONE)
PACKAGES = ("fastapi", "starlette", "flask", "django", "uvicorn", "uvloop", "schemathesis")


def main() -> None:
    parser = argparse.ArgumentParser(prog="harden")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--full", action="store_true", help="everything, which takes an hour")
    parser.add_argument("--write", action="store_true", help="the rows in docs/reliability.md too")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harden") as folder:
        os.environ.update(family.isolate(Path(folder, "home")))
        template = family.export(Path(folder, "template"))
        options = Options(arguments.full, Path(folder), template)
        rows = try_all(arguments.parts or PARTS, options)
    print(f"\n{table(rows)}\n\n{time.monotonic() - started:.0f} seconds")
    if arguments.write:
        write(rows)
    if any(row.problems() for row in rows):
        sys.exit("not all of it held")


def try_all(parts: Sequence[str], options: Options) -> list[Row]:
    """The rows of these parts, in their order; two parts at a time, but for those that want to be alone."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn) as pool:
        beside = {part: pool.submit(try_part, part, options) for part in BESIDE if part in parts}
        found = {part: each.result() for part, each in beside.items()}
    found |= {part: try_part(part, options) for part in ALONE if part in parts}
    return [row for part in PARTS for row in found.get(part, [])]


def write(rows: Sequence[Row]) -> None:
    """Put these rows into the document; those of parts that were not run stay."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    old, after = rest.split(END)
    kept = {part: re.findall(rf"^\| {part} \|.*", old, re.MULTILINE) for part in PARTS}
    kept |= {row.part: [line(each) for each in rows if each.part == row.part] for row in rows}
    lines = [each for part in PARTS for each in kept[part]]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}."
    new = "\n".join(["", table([]), *lines, "", machine, ""])
    DOCUMENT.write_text(f"{before}{BEGIN}{new}{END}{after}")


if __name__ == "__main__":
    main()
