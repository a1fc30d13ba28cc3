"""Which part of the proofs that come in great number a run takes: SLICE is 0 to 6, or it is not set, and all are taken.

Mutants, deployments of one style, and the same checks with another auth show the same thing many times over. `nox` takes another
seventh of them each day, so that a week takes all; a session by itself, or `nox -s proofs -- all`, leaves out nothing.
"""

import os
from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

SLICES = 7
NUMBERS = tuple(map(str, range(SLICES)))
Item = TypeVar("Item")


def chosen() -> int | None:
    """The number of the slice; None for everything.

    Raises:
        ValueError: when SLICE is something else.
    """
    text = os.environ.get("SLICE", "")
    if text not in ("", *NUMBERS):
        raise ValueError(f"SLICE is {text!r}; it can be 0 to {SLICES - 1}, or not set")
    return int(text) if text else None


def of_the_day() -> str:
    """Another one each day: so many in a row, whenever they begin, are all of them."""
    return NUMBERS[date.today().toordinal() % SLICES]


def told() -> str:
    """What a run says of itself."""
    number = chosen()
    return "all of it" if number is None else f"slice {number} of 0 to {SLICES - 1}"


def least(count: int) -> int:
    """How many a slice must have where `count` are the least of all."""
    return count if chosen() is None else count // (SLICES + 1)


def taken(items: Iterable[Item]) -> list[Item]:
    """Every seventh of these."""
    number = chosen()
    return [item for n, item in enumerate(items) if number is None or n % SLICES == number]


def some(items: Iterable[Item]) -> list[Item]:
    """Every seventh of these, and one where there are less than seven."""
    return of_each(items, lambda _: None)


def of_each(items: Iterable[Item], kind: Callable[[Item], object]) -> list[Item]:
    """Of each kind every seventh, and one where it has less than seven; the kinds begin by turns."""
    number = chosen()
    kinds: dict[object, list[Item]] = {}
    for item in items:
        kinds.setdefault(kind(item), []).append(item)
    if number is None:
        return [item for group in kinds.values() for item in group]
    return [
        item
        for turn, group in enumerate(kinds.values(), start=number)
        for item in group[turn % min(SLICES, len(group)) :: SLICES]
    ]
