"""A week of slices is everything, and none lacks a kind."""

from collections.abc import Callable

import pytest

import conftest
import family
import slices

EVERY = [*family.styles(), *family.servers()]
LEAST = 14  # kinds
by_kind = pytest.mark.parametrize("kind", [family.kind, family.stem])


@pytest.fixture(params=slices.NUMBERS)
def number(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SLICE", request.param)
    return str(request.param)


def test_without_a_number_all_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLICE", raising=False)
    assert slices.taken("abcdefg") == list("abcdefg")
    assert sorted(map(str, slices.of_each(EVERY, family.kind))) == sorted(map(str, EVERY))
    assert slices.told() == "all of it"


@by_kind
def test_a_week_takes_each_thing_once(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[family.Answers], str]
) -> None:
    things, some = [], []
    for number in slices.NUMBERS:
        monkeypatch.setenv("SLICE", number)
        things += slices.taken(range(100))
        some.append({str(answers) for answers in slices.of_each(EVERY, kind)})
    assert sorted(things) == list(range(100))
    assert set.union(*some) == set(map(str, EVERY))


def test_of_a_few_there_is_one_each_day_and_in_a_week_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for number in slices.NUMBERS:
        monkeypatch.setenv("SLICE", number)
        assert len(slices.some("ab")) == 1
        seen += slices.some("ab") + slices.some(range(20))
    assert {*seen} == {"a", "b", *range(20)}


@by_kind
def test_each_day_has_each_kind_and_not_much_more(
    number: str, kind: Callable[[family.Answers], str]
) -> None:
    some = slices.of_each(EVERY, kind)
    kinds = {kind(answers) for answers in EVERY}
    assert len(kinds) >= LEAST
    assert {kind(answers) for answers in some} == kinds
    assert len(kinds) <= len(some) <= len(EVERY) / 2


def test_a_kind_that_has_few_has_one_each_day(number: str) -> None:
    some = slices.of_each(["a1", "b1", "b2", "c1", "c2", "c3", "c4"], lambda item: item[0])
    assert [item[0] for item in some][:3] == ["a", "b", "c"], some


@pytest.mark.parametrize("text", ["7", "-1", "all", "one"])
def test_another_slice_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SLICE", text)
    with pytest.raises(ValueError, match="it can be 0 to 6, or not set"):
        slices.chosen()


def test_a_run_says_which_slice_it_takes(number: str) -> None:
    assert conftest.pytest_report_header() == f"taken: slice {number} of 0 to 6"
