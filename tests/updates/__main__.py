"""`python -m updates [all]`; see the package."""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from operator import itemgetter
from pathlib import Path

import family
import fast_copier
import slices
from updates import checks, history, mutants, switches

LEAST = {  # fewer would mean that something was lost on the way
    "releases x kinds": 27,
    "lived-in projects updated": 36,
    "answers switched": 35,
    "kinds switched there and back": 9,
    "remedies": 8,
    "mutants caught": 19,
}
Task = tuple[str, str, tuple[object, ...]]  # row of the table, function of checks.py, its arguments


def main() -> None:
    parser = argparse.ArgumentParser(prog="updates")
    parser.add_argument(
        "extent", nargs="?", choices=["all"], help="every answer and pair of styles"
    )
    everything = parser.parse_args().extent == "all"
    family.use_memory()
    with tempfile.TemporaryDirectory(prefix="updates") as folder:
        os.environ.update(family.isolate(Path(folder, "home")))
        past = history.build(Path(folder, "modal-endpoints"))
        print(f"releases: {', '.join(past.released)}; {slices.told()}", flush=True)
        # Of each row the slice, and every remedy: each is another check.
        tasks = slices.of_each(planned(past, everything), itemgetter(0, 1))
        failures: list[str] = []
        rows: dict[str, list[float]] = {}
        started = time.monotonic()
        with multiprocessing.Pool(initializer=fast_copier.install) as pool:
            arguments = [(past, Path(folder), *task) for task in tasks]
            results = family.counted(pool.imap(run, arguments), len(tasks), "checked")
            for (row, *_), (count, seconds, problem) in zip(tasks, results, strict=True):
                figures = rows.setdefault(row, [0, 0, 0.0])
                figures[0] += 1
                figures[1] += count
                figures[2] += seconds
                if problem:
                    failures.append(f"{row}: {problem}")
                    print(failures[-1], flush=True)
        print_table(rows, time.monotonic() - started)
    few = [row for row, least in LEAST.items() if rows.get(row, [0])[0] < slices.least(least)]
    if few or failures:
        sys.exit(f"{len(failures)} failed; too few to prove anything: {few or 'none'}")


def planned(past: history.History, everything: bool) -> Iterable[Task]:
    kinds = family.choices()
    for kind in kinds:
        for tag in past.having(kind):
            yield "releases x kinds", "check_untouched", (tag, kind)
    yield from checks.planned_edits(past, everything)
    alone, pairs = switches.answers(), list(switches.pairs())
    for switch in alone if everything else switches.sample(alone):
        yield "answers switched", "check_answer", (switch,)
    for switch in pairs if everything else switches.sample(pairs):
        yield "kinds switched there and back", "check_there_and_back", (switch,)
    for remedy in checks.REMEDIES:
        yield "remedies", remedy.__name__, ()
    for name in mutants.MUTANTS:
        yield "mutants caught", "check_mutant", (name,)


def run(task: tuple[history.History, Path, str, str, tuple[object, ...]]) -> tuple[int, float, str]:
    """One check in a worker; what it counted, how long it took, and what is wrong."""
    past, folder, _, name, arguments = task
    check: Callable[..., int] = getattr(mutants if name == "check_mutant" else checks, name)
    started = time.monotonic()
    what = f"{name} {' '.join(map(str, arguments))}"
    try:
        return check(past, folder, *arguments), time.monotonic() - started, ""
    except AssertionError as failure:
        return 0, time.monotonic() - started, f"{what}: {failure}"
    except Exception:  # noqa: BLE001  (the table says it)
        return 0, time.monotonic() - started, f"{what}: {traceback.format_exc()}"


def print_table(rows: dict[str, list[float]], seconds: float) -> None:
    print(f"\n{'':32}{'count':>8}{'files':>8}{'seconds':>9}")
    for row, (count, files, spent) in rows.items():
        print(f"{row:32}{count:8.0f}{files:8.0f}{spent:9.1f}")
    print(f"{'in all, beside each other':32}{'':16}{seconds:9.1f}", flush=True)


if __name__ == "__main__":
    main()
