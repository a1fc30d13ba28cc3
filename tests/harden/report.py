"""A part that is tried, and one table of all that was."""

import importlib
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import slices

Item = TypeVar("Item")


@dataclass(frozen=True)
class Row:
    """What one check saw.

    Attributes:
        part: the module that made it.
        what: the style, or the fault.
        cases: distinct inputs that were tried.
        least: fewer than these prove nothing, and fail.
        failures: a sentence for each that went wrong.
        outcome: what was seen otherwise, in a few words: figures under load, what a client sees of a fault.
    """

    part: str
    what: str
    cases: int
    least: int
    failures: tuple[str, ...]
    outcome: str = ""

    def problems(self) -> list[str]:
        few = [f"{self.cases} cases, {self.least} are the least"] if self.cases < self.least else []
        return [*few, *self.failures]


@dataclass(frozen=True)
class Options:
    """How much of it.

    Attributes:
        full: everything, not the slice that CI runs.
        folder: for projects, logs and whatever else a part writes.
        template: an export of the template, to render from.
    """

    full: bool
    folder: Path
    template: Path

    def some(self, items: Iterable[Item]) -> list[Item]:
        """Of mutants and of styles those of the day; everything where all is tried, or no day is said."""
        return list(items) if self.full else slices.some(items)


def judged(part: str, said: Mapping[str, tuple[str, str]]) -> Row:
    """The row of mutants: for each what was said of it, and the words that must be there; none: nothing may be said."""
    missed = {
        name: what
        for name, (what, words) in said.items()
        if not (words in what if words else not what)
    }
    failures = tuple(f"{name}: {what or 'nothing was said'}" for name, what in missed.items())
    caught = [name for name in said if name not in missed]
    return Row(part, "mutants", len(caught), len(said), failures, ", ".join(caught))


def try_part(part: str, options: Options) -> list[Row]:
    """Run a part, saying how each row ended as soon as it has."""
    started = time.monotonic()
    rows = []
    for row in to_the_end(part, options):
        rows.append(row)
        print(f"{part}: {row.what}: {row.cases:,} cases, {row.outcome}", flush=True)
        for problem in row.problems():
            print(f"  FAILED {problem}", flush=True)
    print(f"{part}: {time.monotonic() - started:.0f} seconds", flush=True)
    return rows


def to_the_end(part: str, options: Options) -> Iterator[Row]:
    """The rows of a part; one more where it breaks off, so that those of an hour are not lost with it."""
    try:
        yield from importlib.import_module(f"harden.{part}").run(options)
    except Exception as error:  # noqa: BLE001 (whatever it is, the run fails with it)
        traceback.print_exc()
        yield Row(part, "to its end", 0, 1, (f"{type(error).__name__}: {error}"[:1500],))


HEAD = ("part", "what", "cases", "failures", "outcome")


def table(rows: Iterable[Row]) -> str:
    """The rows as Markdown."""
    head = ["| " + " | ".join(HEAD) + " |", "| " + " | ".join(["---"] * len(HEAD)) + " |"]
    return "\n".join([*head, *map(line, rows)])


def line(row: Row) -> str:
    """One of them."""
    outcome = row.outcome.replace("|", "\\|")
    cells = (row.part, row.what, f"{row.cases:,}", str(len(row.problems())), outcome)
    return f"| {' | '.join(cells)} |"
