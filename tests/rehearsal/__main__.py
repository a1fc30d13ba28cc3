"""Rehearse: `nox -s rehearse`, all of it, or `nox -s rehearse -- flask bearer`, what these words choose."""

import importlib.metadata
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import family
import locks
import slices

from . import combinations, drive, jobs, mutants, perform, probe
from .stage import Stage

# Fewer would mean that some were lost on the way.
LEAST_SERVED = 30
LEAST_MUTANTS = 15


@dataclass
class Row:
    """One line of the table that is printed in the end."""

    what: str
    count: int
    requests: int
    seconds: float


def main(words: Sequence[str]) -> None:
    every = [*family.styles(), *family.servers()]
    chosen = [
        answers
        for answers in every
        if chooses(words, answers) and (words or not family.is_like_behind_the_proxy(answers))
    ]
    if not chosen:
        known = sorted({word for answers in every for word in words_of(answers)})
        sys.exit(f"nothing is {' and '.join(words)}; choose from {', '.join(known)}")
    versions = f"modal {importlib.metadata.version('modal')}, Python {sys.version.split()[0]}"
    print(f"{versions}, {slices.told()}", flush=True)
    with Stage() as stage:
        family.use_memory()  # but not for what the stage installs
        with tempfile.TemporaryDirectory() as folder:
            os.environ.update(family.isolate(Path(folder, "home")))
            template = family.export(Path(folder, "template"))
            rows = rehearse_all(stage, template, Path(folder), chosen, words)
    print(f"\n{'':<48} {'count':>6} {'requests':>9} {'seconds':>8}")
    for row in rows:
        print(f"{row.what:<48} {row.count:>6} {row.requests or '':>9} {row.seconds:>8.1f}")


def rehearse_all(
    stage: Stage,
    template: Path,
    folder: Path,
    chosen: Sequence[family.Answers],
    words: Sequence[str],
) -> list[Row]:
    """Every part in turn; the first failure ends it all.

    Raises:
        AssertionError: of many kinds, each with what went wrong.
    """
    rows = []
    started = time.monotonic()
    seen = probe.check(stage, folder / "probe")
    print(f"  the probe: {seen} things seen", flush=True)
    rows.append(Row("the rehearsal itself, by a probe", seen, 0, lap(started)))

    started = time.monotonic()
    taken = slices.of_each([*chosen, *asleep(chosen)], family.stem)
    # More than there are cores: most of the time they wait for containers.
    with ThreadPoolExecutor(max_workers=3) as pool:
        tasks = [
            pool.submit(served, stage, template, folder / f"served-{number}", answers)
            for number, answers in enumerate(taken)
        ]
        done = [task.result() for task in tasks]
    assert words or len(done) >= slices.least(LEAST_SERVED), "too few styles"
    requests = sum(each.requests + each.compared for each in done)
    rows.append(
        Row("containers served, deployed by README's commands", len(done), requests, lap(started))
    )

    if any(each["style"] == "jobs" for each in chosen):
        started = time.monotonic()
        seen = jobs.check(stage, template, folder / "jobs")
        print(f"  jobs on both runners: {seen} checks", flush=True)
        rows.append(Row("jobs, one suite for both runners", seen, 0, lap(started)))

    started = time.monotonic()
    result = combinations.deploy_all(
        stage, template, folder / "combinations", lambda answers: chooses(words, answers)
    )
    rows.append(Row("combinations deployed", result.combinations, 0, lap(started)))
    rows.append(Row("  renders that no proof had kept", result.renders, 0, result.render_seconds))
    rows.append(Row("  lock files", result.locks, 0, result.lock_seconds))
    rows.append(Row("  distinct deployments", result.deployments, 0, result.deploy_seconds))
    rows.append(Row("  promises kept", result.promises, 0, result.check_seconds))

    started = time.monotonic()
    broken = [mutant for mutant in mutants.MUTANTS if chooses(words, mutant.answers)]
    caught = mutants.run(stage, template, folder / "mutants", broken, proved=taken)
    assert words or len(caught) >= slices.least(LEAST_MUTANTS), "too few mutants"
    rows.append(Row("mutants caught", len(caught), 0, lap(started)))
    return rows


def asleep(chosen: Sequence[family.Answers]) -> list[family.Answers]:
    """Of the engines among these the one that checks tokens by itself, restored from a snapshot in which it sleeps."""
    return [
        answers | {"tune": True, "gpu_snapshot": True}
        for answers in chosen
        if family.kind(answers) in drive.ENGINES and answers.get("auth") == "bearer"
    ]


def served(
    stage: Stage, template: Path, folder: Path, answers: family.Answers
) -> perform.Performance:
    """Render a project, deploy it as its README says, and serve it.

    Raises:
        AssertionError: with the answers, and what went wrong.
    """
    name = family.identify(answers)
    started = time.monotonic()
    try:
        with perform.port() as port:
            asks = answers["style"] == "server" or family.known(answers)["modal_server"]
            given = answers | ({"server_port": port} if asks else {})
            project = family.render(template, folder, given)
            locks.lock(project)
            app = perform.deploy_as_documented(stage, project, name)
            done = perform.Performance(name)
            print(f"  {name}: deployed", flush=True)
            perform.serve(stage, app, project, given, done)
    except Exception as error:
        raise AssertionError(f"{name}: {error}") from error
    print(
        f"  {name}: {done.requests} requests, {done.compared} compared, "
        f"{done.modules} modules, {lap(started):.1f} s",
        flush=True,
    )
    return done


def chooses(words: Sequence[str], answers: family.Answers) -> bool:
    """Whether these answers have all of the words: a style, a server app, an auth, `modal-server`."""
    return set(words) <= words_of(answers)


def words_of(answers: family.Answers) -> set[str]:
    known = family.known(answers)
    server = {"modal-server"} if known["modal_server"] else set()
    return {known["style"], family.kind(answers), known["auth"]} | server


def lap(started: float) -> float:
    return time.monotonic() - started


if __name__ == "__main__":
    main(sys.argv[1:])
