"""The figures as Markdown."""

import argparse
import os
import platform
import re
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .loop import Record
from .parts import PARTS

README = Path(__file__).with_name("README.md")
PACKAGES = ("torch", "transformers", "litserve", "fastapi", "starlette", "uvicorn", "uvloop")
NAMES = {
    "project": "rendered project",
    "stream": "rendered project, streaming",
    "engine": "its engine, without HTTP",
    "seed": "seed: a pipeline for each request",
    "litserve": "LitServe, batch 16",
    "manager": "transformers' manager behind FastAPI",
    "generate": "`model.generate`, without HTTP",
}
Runs = dict[tuple[str, str, int], list[Record]]


@dataclass(frozen=True)
class Ratio:
    what: str
    reach: float
    aim: float
    measured: float | None
    at_most: bool = False

    def row(self) -> list[str]:
        sign = "≤" if self.at_most else "≥"
        goals = [f"{sign} {self.reach:g}", f"{sign} {self.aim:g}"]
        if self.measured is None:
            return [self.what, *goals, "not measured", ""]

        def holds(goal: float) -> bool:
            assert self.measured is not None
            return self.measured <= goal if self.at_most else self.measured >= goal

        word = "aim" if holds(self.aim) else "reached" if holds(self.reach) else "missed"
        return [self.what, *goals, f"{self.measured:.2f}", word]


def markdown(runs: Runs, figures: dict[str, Any], options: argparse.Namespace, pinned: str) -> str:
    parts = [machine(options, pinned)]
    for workload in options.workloads:
        if any(key[1] == workload for key in runs):
            parts += [f"**{workload.capitalize()} lengths**", cells(runs, workload)]
    parts += ["**Ratios**", table(HEAD, (ratio.row() for ratio in ratios(runs, figures)))]
    if figures:
        parts += ["**Fresh processes**", fresh(figures)]
    return "\n\n".join(parts) + "\n"


HEAD = ["ratio", "reach", "aim", "measured", ""]


def machine(options: argparse.Namespace, pinned: str) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    device = processor()
    if options.device == "cuda":
        import torch

        device = f"{torch.cuda.get_device_name()}; {device}"
    return (
        f"{device}, {os.cpu_count()} cores, {pinned}. Python {platform.python_version()}, {versions}. "
        f"Cells of {options.seconds:g} s, medians of {options.rounds} rounds, of three times as many at 1 and 32 clients."
    )


def processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def cells(runs: Runs, workload: str) -> str:
    """One row for each side and number of clients, in milliseconds and per second."""

    def row(side: str, clients: int, records: list[Record]) -> list[str]:
        def middle(pick: Callable[[Record], float | None]) -> float | None:
            values = [value for value in map(pick, records) if value is not None]
            return statistics.median(values) if values else None

        def milliseconds(seconds: float | None) -> str:
            return "" if seconds is None else f"{seconds * 1000:.0f}"

        others = middle(lambda record: record.others)
        differing = sum(record.differing for record in records)
        return [
            NAMES[side],
            str(clients),
            f"{middle(lambda record: record.requests):.1f}",
            f"{middle(lambda record: record.tokens):.0f}",
            milliseconds(middle(lambda record: record.p50)),
            milliseconds(middle(lambda record: record.p99)),
            milliseconds(middle(lambda record: record.first)),
            "" if others is None else f"{others:.2f}",
            f"{differing} of {sum(record.answers for record in records)}",
        ]

    names = list(NAMES)
    found = sorted((key[2], names.index(key[0])) for key in runs if key[1] == workload)
    rows = (row(names[at], count, runs[names[at], workload, count]) for count, at in found)
    head = ["", "clients", "requests/s", "tokens/s", "p50 ms", "p99 ms", "first token ms"]
    return table([*head, "others' share", "texts unlike `generate`'s"], rows)


def summary(runs: Runs, options: argparse.Namespace, pinned: str) -> str:
    """For the template's README: what is served over HTTP, at 32 clients and at one."""

    def row(side: str) -> list[str]:
        def middle(key: tuple[str, int], name: str, factor: float = 1) -> str:
            values = [getattr(record, name) * factor for record in runs[side, *key]]
            return f"{statistics.median(values):.{1 if name == 'requests' else 0}f}"

        wanted = [("requests", 1.0), ("p50", 1000.0), ("p99", 1000.0)]
        cells = [
            middle((workload, 32), *column) for workload in ("fixed", "mixed") for column in wanted
        ]
        return [NAMES[side], *cells, middle(("fixed", 1), "p50", 1000)]

    head = ["", "requests/s", "p50 ms", "p99 ms", "mixed: requests/s", "p50 ms", "p99 ms"]
    served = [
        side for side in NAMES if ("fixed", 32) in {key[1:] for key in runs if key[0] == side}
    ]
    rows = [row(side) for side in served if side != "engine"]
    return "\n\n".join(
        [
            "32 clients, each asking again as soon as it has its answer; 32 new tokens, or 8 to 104 (mixed); last, one client:",
            table([*head, "one: p50 ms"], rows),
            machine(options, pinned),
        ]
    )


def ratios(runs: Runs, figures: dict[str, Any]) -> list[Ratio]:
    """Medians of what each round gave, because what disturbs one side of a round disturbs the other."""

    def over(
        pick: Callable[[Record], float], side: str, other: str, workload: str, clients: int = 32
    ) -> float | None:
        ours, theirs = (runs.get((name, workload, clients), []) for name in (side, other))
        both = [pick(one) / pick(two) for one, two in zip(ours, theirs, strict=False)]
        return statistics.median(both) if both else None

    def requests(record: Record) -> float:
        return record.requests

    def tokens(record: Record) -> float:
        return record.tokens

    def p50(record: Record) -> float:
        return record.p50

    spread = [one.p99 / one.p50 for one in runs.get(("project", "fixed", 32), [])]
    imports, first = figures.get("imports"), figures.get("first")
    web = None
    if imports:
        web = (imports["web"] - imports["nothing"]) / (imports["fastapi"] - imports["nothing"])
    return [
        Ratio(
            "requests/s against the seed, fixed, 32 clients",
            *(5, 6, over(requests, "project", "seed", "fixed")),
        ),
        Ratio(
            "requests/s against the seed, mixed, 32 clients",
            *(4, 5, over(requests, "project", "seed", "mixed")),
        ),
        Ratio(
            "requests/s against LitServe, mixed, 32 clients",
            *(1.5, 2.2, over(requests, "project", "litserve", "mixed")),
        ),
        Ratio(
            "requests/s against LitServe, fixed, 32 clients",
            *(1.0, 1.2, over(requests, "project", "litserve", "fixed")),
        ),
        Ratio(
            "p50 against LitServe, mixed, 32 clients",
            *(0.6, 0.3, over(p50, "project", "litserve", "mixed"), True),
        ),
        Ratio(
            "p99/p50, fixed, 32 clients",
            *(1.3, 1.1, statistics.median(spread) if spread else None, True),
        ),
        Ratio(
            "p50 of one client against the seed, fixed",
            *(1.1, 0.95, over(p50, "project", "seed", "fixed", 1), True),
        ),
        Ratio(
            "tokens/s over HTTP against the engine without it, fixed, 32 clients",
            *(0.9, 0.97, over(tokens, "project", "engine", "fixed")),
        ),
        Ratio(
            "tokens/s streamed against the engine without HTTP, fixed, 32 clients",
            *(0.9, 0.97, over(tokens, "stream", "engine", "fixed")),
        ),
        Ratio("import of the web module against `import fastapi`", 1.5, 1.2, web, True),
        Ratio(
            "fresh process to its first token against the seed's",
            *(0.9, 0.5, first["project"] / first["seed"] if first else None, True),
        ),
    ]


def fresh(figures: dict[str, Any]) -> str:
    imports, first = figures["imports"], figures["first"]
    above = {name: (seconds - imports["nothing"]) * 1000 for name, seconds in imports.items()}
    return table(
        ["", "ms"],
        [
            ["`import fastapi`, above an empty interpreter", f"{above['fastapi']:.0f}"],
            ["import of the web module, above an empty interpreter", f"{above['web']:.0f}"],
            ["heavy modules among what that brings", ", ".join(figures["heavy"]) or "none"],
            [
                "fresh process to its first token: rendered project",
                f"{first['project'] * 1000:.0f}",
            ],
            [
                "fresh process to its first token: the seed's pipeline",
                f"{first['seed'] * 1000:.0f}",
            ],
        ],
    )


def shares(times: dict[tuple[str, int], dict[str, float]]) -> str:
    """Percent of the time, for each side and number of clients."""
    head = [f"{side}, {clients} client{'s' * (clients > 1)}" for side, clients in times]
    rows = (
        [name, *(f"{100 * max(0, spent[part]) / spent['wall']:.1f}" for spent in times.values())]
        for part, name in PARTS.items()
    )
    return table(["% of the time", *head], rows) + "\n"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(text: str, name: str) -> None:
    """Put it between the marks of the README here that have this name."""
    replace(README, f"<!-- {name}: begin -->", text, f"<!-- {name}: end -->")


def write_summary(text: str) -> None:
    """Put it into the template's README."""
    begin = "<!-- bench: written by nox -s bench -- --write -->"
    replace(README.parents[1] / "README.md", begin, f"{text}\n\n", "<!-- end of bench -->")


def replace(path: Path, begin: str, text: str, end: str) -> None:
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}\n{text}{end}{rest.split(end)[1]}")
