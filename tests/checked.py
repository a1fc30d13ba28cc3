"""docs/checked.md says what is checked of each style and of each choice, counted from the checks themselves.

python tests/checked.py          compare, and fail on a difference
python tests/checked.py write    rewrite
"""

import ast
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType

import family
import test_broken_projects
import test_engine
import test_rendered_client
from browser import test_broken_pages, test_pages
from harden import contracts, crowd, faults, generated, limits, load, sockets
from rehearsal import mutants as rehearsed
from updates import switches

PAGE = family.ROOT / "docs" / "checked.md"
LEAST_KINDS = 10
HEAD = """\
# What is checked

Counted from the checks themselves, and held against them by `nox -s examples`. A style that is missing in a column of hardening shares
its server and its middleware with one that is there, or has no HTTP of its own to harden: [reliability](reliability.md) says what each does.

## Styles

* **Combinations**: of answers, each rendered, parsed, linted, formatted, imported and deployed by the real client (`matrix`, `rehearse`).
* **Auth**: its values; with each, the project is installed and its own tests run, it is served and called as its README says
  (`project`), and served by Modal's container runtime (`rehearse`). Open to all and behind Modal's proxy are the same there: of
  the two, one is served, and of the other only the tests of what is deployed run.
* **Updates**: other answers that an update is given, besides every other style and back (`update`).
* **Journeys**: what people do on its pages in a real browser (`browser`).
* **Mutants**: projects of this style that are broken in one place, which some check must catch.

"""
CHOICES = """
## Choices

Each value of each question that has a list of them: in how many combinations it is, and in how many styles an update changes to it.

"""


def main(write: bool) -> None:
    text = HEAD + styles() + CHOICES + choices()
    if write:
        PAGE.write_text(text)
    if PAGE.read_text() != text:
        sys.exit("docs/checked.md is stale: nox -s examples -- write")
    print(f"docs/checked.md: {text.count(chr(10) + '| ')} rows")


def styles() -> str:
    combinations = Counter(map(family.kind, family.combinations()))
    auths = Counter(map(family.kind, family.styles()))
    updates = Counter(switch.kind for switch in switches.answers())
    journeys = Counter(family.kind(answers) for answers, _ in test_pages.JOURNEYS)
    broken = Counter(map(family.kind, _mutants()))
    hardened = _hardened()
    assert len(combinations) >= LEAST_KINDS, "styles are missing"
    columns = ["combinations", "auth", "updates", "journeys", "mutants", *hardened]
    return _table(
        ["style", *columns],
        (
            [
                kind,
                *(counts[kind] for counts in (combinations, auths, updates, journeys, broken)),
                *("yes" if kind in kinds else "" for kinds in hardened.values()),
            ]
            for kind in combinations
        ),
    )


def choices() -> str:
    combinations = Counter(
        (name, str(value)) for answers in family.combinations() for name, value in answers.items()
    )
    updates = Counter(
        (name, str(value))
        for switch in (*switches.answers(), *switches.pairs())
        for name, value in switch.data
    )
    return _table(
        ["question", "value", "combinations", "updates"],
        (
            [name, value, combinations[name, value], updates[name, value]]
            for name, value in sorted(combinations, key=_place)
        ),
    )


def _place(choice: tuple[str, str]) -> tuple[int, str]:
    """Questions in their order, values by the alphabet."""
    name, value = choice
    return list(family.questions()).index(name), value


def _hardened() -> Mapping[str, set[str]]:
    """The parts of hardening, and the kinds that each takes when it takes all."""
    return {
        "contracts": {subject.style for subject in contracts.SUBJECTS},
        "limits": {*limits.MUTANTS},
        "sockets": {*sockets.STYLES},
        "faults": {style for module in faults.MODULES for style in _tried(module)},
        "generated": {style for style, _ in generated.SUBJECTS},
        "load": {*load.STYLES},
        "crowd": {crowd.STYLE},
    }


def _tried(module: ModuleType) -> Iterator[str]:
    """The styles that a module of faults names."""
    for call in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "trial.styles":
            yield from (str(name.value) for name in call.args if isinstance(name, ast.Constant))
            tables = [name.value for name in call.args if isinstance(name, ast.Starred)]
            yield from (each for table in tables for each in getattr(module, ast.unparse(table)))


def _mutants() -> Iterable[family.Answers]:
    """The answers of each broken project."""
    yield from (mutant.answers for mutant in rehearsed.MUTANTS)
    yield from (mutant[0] for mutant in test_broken_pages.MUTANTS.values())
    yield from (mutant[0] for mutant in test_broken_projects.MUTANTS.values())
    yield from (mutant[0] for mutant in test_rendered_client.MUTANTS.values())
    for torn in test_engine.MUTANTS.values():
        yield family.choices()[torn.kind]
    for style, mutants in limits.MUTANTS.items():
        yield from ({"style": style} for _ in mutants)


def _table(head: list[str], rows: Iterable[list[object]]) -> str:
    line: Callable[[Iterable[object]], str] = lambda cells: f"| {' | '.join(map(str, cells))} |\n"
    return line(head) + line(["---"] * len(head)) + "".join(map(line, rows))


if __name__ == "__main__":
    main(write=sys.argv[1:] == ["write"])
