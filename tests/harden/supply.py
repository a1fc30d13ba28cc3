"""What a project brings from elsewhere, and what it must not give away: workflows, dependencies, secrets, licences."""

import functools
import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import family
import fast_copier
from harden import (
    supply_audit,
    supply_licences,
    supply_rules,
    supply_secrets,
    supply_workflows,
)
from harden.report import Options, Row
from harden.supply_files import Files

CHECKS = (supply_workflows, supply_audit, supply_rules, supply_secrets, supply_licences)
LEAST = {True: 1_000, False: 20}


def run(options: Options) -> Iterator[Row]:
    combinations = family.combinations()
    chosen = combinations if options.full else covering(combinations)
    files = rendered(options.template, chosen)
    assert len(chosen) >= LEAST[options.full], "too few combinations: this proves nothing"
    for check in CHECKS:
        yield from check.run(options, files)


def covering(combinations: Sequence[family.Answers]) -> Sequence[family.Answers]:
    """So many that each style has each auth, and each choice of any question is there."""
    seen: set[object] = set()
    chosen = []
    for answers in combinations:
        style = tuple(answers.get(name) for name in (*family.KIND, "auth"))
        new = {style, *answers.items()}
        if not new <= seen:
            chosen.append(answers)
            seen |= new
    return chosen


def rendered(template: Path, chosen: Sequence[family.Answers]) -> Files:
    """The distinct files of these combinations: path and content."""
    render = functools.partial(_render, template)
    with multiprocessing.Pool(initializer=fast_copier.install) as pool:
        found = pool.imap_unordered(render, chosen, chunksize=4)
        return frozenset(itertools.chain.from_iterable(found))


def _render(template: Path, answers: family.Answers) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        project = family.render(template, Path(folder), answers)
        # It names the folder of this very run.
        os.remove(project / ".copier-answers.yml")
        paths = (path for path in project.rglob("*") if path.is_file())
        return frozenset((p.relative_to(project).as_posix(), p.read_text()) for p in paths)
