"""Random and hostile answers: each set is refused in one clear sentence, or a clean project that holds what was answered."""

import collections
import multiprocessing
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.pool import Pool

import family
import fast_copier
from harden import answers_mutants
from harden.answers_given import BOUNDS, KINDS, draw_sets
from harden.answers_injections import (
    EVERYWHERE,
    HARMLESS,
    WHERE,
    elsewhere,
    examine,
    injections,
    places,
)
from harden.answers_rendered import attempt, style_problems
from harden.report import Options, Row
from matrix import Store

SETS, SETS_IN_SLICE, SEED = 2_000, 150, 20_260
LEAST_SHARE = 0.3  # of the sets must be rendered, and as many refused
SHOWN = 12  # failures of one row
# Through the command line: what is given, and the last words of the refusal.
TYPED = (
    ("memory=64", "64 is not a number of MiB that Modal takes: use 128 to 344064."),
    ("style=fast", "'fast' is not in ['api', 'simple', "),
    ('project_name=my "api"', "is not a project name: use 1 to 64 letters"),
    ("auth=login", "allowed for a FastAPI application are proxy, bearer, none."),
    ("description=two\nlines", "write it in one line of plain text."),
    ("custom_domain=https://api.example.com", "is not a domain of yours like api.example.com"),
)


def run(options: Options) -> Iterator[Row]:
    family.use_memory()
    with multiprocessing.Pool(2, initializer=fast_copier.install) as pool:
        yield from random_sets(options, pool)
        yield from hostile_texts(options, pool)
        yield mutants_caught(options, pool)
    yield typed(options)


def random_sets(options: Options, pool: Pool) -> Iterator[Row]:
    """Sets of answers to all questions, drawn anew each time in full; the seed is told."""
    number = SETS if options.full else SETS_IN_SLICE
    seed = random.SystemRandom().randrange(10**6) if options.full else SEED
    sets = draw_sets(number, seed, options.folder / "hypothesis")
    store = Store(options.folder / "answers")
    store.folder.mkdir()
    tasks = [(options.template, store.folder, given, i % 2 == 0) for i, given in enumerate(sets)]
    outcomes = list(pool.imap(attempt, tasks, chunksize=4))
    rendered = [outcome for outcome in outcomes if outcome.tree]
    trees = [(outcome.given.answers, outcome.tree) for outcome in rendered]
    problems = [(o.given.answers, problem) for o in outcomes for problem in o.problems]
    problems += style_problems(trees, store, options.folder / "answers-style")
    sentences = [f"seed {seed}: {problem}; {told(answers)}" for answers, problem in problems]
    kinds = collections.Counter(family.kind(outcome.given.answers) for outcome in rendered)
    packages = len({outcome.package for outcome in rendered})
    yield Row(
        "answers",
        "random sets that render",
        len(rendered),
        max(int(number * LEAST_SHARE), 9),
        shown(sentences) + tuple(f"none of {kind}" for kind in KINDS if not kinds[kind]),
        f"of {len(sets):,}, seed {seed}; {packages:,} distinct packages import; {counted(kinds)}",
    )
    by = collections.Counter(outcome.refused for outcome in outcomes if outcome.refused)
    silent = [f"{name} refused nothing" for name in REFUSING if options.full and not by[name]]
    yield Row(
        "answers",
        "random sets that are refused",
        by.total(),
        int(number * LEAST_SHARE),
        tuple(silent),
        counted(by),
    )


# Questions that have something to refuse, and that are met by a random set in any case.
REFUSING = (*HARMLESS, *BOUNDS, "style", "cpu", "auth")


def told(answers: family.Answers) -> str:
    """The free text of a set, without what cannot be at fault."""
    return ", ".join(
        f"{name}={str(value)[:80]!r}"
        for name, value in answers.items()
        if name in HARMLESS or name in (*family.KIND, "auth", "license")
    )


def counted(counter: collections.Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counter.most_common())


def shown(problems: list[str]) -> tuple[str, ...]:
    """At most a dozen, of each kind one before a second of any."""
    by_kind = collections.defaultdict(list)
    for problem in problems:
        by_kind[re.sub(r"\W+.*", "", re.sub(r"^seed \d+: ", "", problem))].append(problem)
    first = [found[0] for found in by_kind.values()]
    chosen = [*first, *(problem for problem in problems if problem not in first)][:SHOWN]
    more = len(problems) - len(chosen)
    return (*chosen, f"and {more} more") if more else tuple(chosen)


def hostile_texts(options: Options, pool: Pool) -> Iterator[Row]:
    """A row for each question that takes text."""
    for question in options.some(HARMLESS):
        tasks = [(options.template, one) for one in injections(question, full=options.full)]
        done = pool.map(examine, tasks, chunksize=4)
        passed = [one for one, outcome, _ in done if outcome == "rendered"]
        tasks = [(options.template, one) for one in elsewhere(passed, full=options.full)]
        done += pool.map(examine, tasks, chunksize=4)
        how = collections.Counter(outcome for _, outcome, _ in done)
        problems = [problem for _, _, found in done for problem in found]
        bases = WHERE.get(question, EVERYWHERE)
        problems += places(options.template, question, bases if options.full else bases[:2])
        yield Row(
            "answers",
            f"hostile {question}",
            len({one for one, _, _ in done}),
            100,
            shown(problems),
            counted(how),
        )


def mutants_caught(options: Options, pool: Pool) -> Row:
    """Broken templates, which the same checks must catch."""
    if stale := answers_mutants.stale(options.template):  # those of other runs too
        return Row("answers", "mutants caught", 0, 1, tuple(stale))
    chosen = answers_mutants.MUTANTS if options.full else answers_mutants.MUTANTS_IN_SLICE
    tasks = [(options.template, options.folder, name) for name in chosen]
    found = pool.map(answers_mutants.caught, tasks, chunksize=1)
    missed = tuple(f"not caught: {name}" for name, by in zip(chosen, found, strict=True) if not by)
    what = "; ".join(f"{name}: {by[:60]}" for name, by in zip(chosen, found, strict=True))
    print(f"answers: mutants: {what}", flush=True)
    return Row("answers", "mutants caught", len(found) - len(missed), len(chosen), missed)


def typed(options: Options) -> Row:
    """Through the real command line: exit code, last line, nothing written and nothing on standard output."""
    chosen = TYPED if options.full else TYPED[:2]
    problems = []
    for answer, words in chosen:
        project = options.folder / "typed"
        command = ["-m", "copier", "copy", "--defaults", "--data", answer, str(options.template)]
        done = subprocess.run(
            [sys.executable, *command, str(project)], capture_output=True, text=True, check=False
        )
        last = done.stderr.strip().rpartition("\n")[2]
        if done.returncode != 1 or words not in last or done.stdout:
            problems.append(f"{answer!r}: exit code {done.returncode}, {last[-200:]!r}")
        if project.exists():
            problems.append(f"{answer!r}: refused, and wrote {sorted(project.iterdir())[:3]}")
    return Row(
        "answers", "command line", len(chosen), 2, tuple(problems), "exit code 1, one sentence last"
    )
