"""What takes minutes says how far it is."""

import pytest

import family


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "  1 of 3 done\n  2 of 3 done\n  3 of 3 done\n"), (1e9, "  3 of 3 done\n")],
)
def test_a_long_work_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, said: str
) -> None:
    monkeypatch.setattr(family, "SAY_SECONDS", seconds)
    assert list(family.counted("abc", 3, "done")) == ["a", "b", "c"]
    assert capsys.readouterr().out == said
