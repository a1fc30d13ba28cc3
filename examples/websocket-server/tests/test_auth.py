"""Tokens: who gets in, and what refuses to start."""

import hmac

import pytest

from myapi.auth import Tokens

OLD, NEW = "old-" + "1" * 32, "new-" + "2" * 32


def tokens(monkeypatch: pytest.MonkeyPatch, text: str) -> Tokens:
    monkeypatch.setenv("API_TOKENS", text)
    return Tokens.from_env()


def test_each_of_several_tokens_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    both = tokens(monkeypatch, f"ann:{OLD}, bob:{NEW}")
    assert both.name_of(OLD) == "ann"
    assert both.name_of(NEW) == "bob"
    for stranger in ("", OLD[:-1], OLD + "1", "é" * 32, "\ud800"):
        assert both.name_of(stranger) is None


def test_every_token_is_compared_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = tokens(monkeypatch, f"ann:{OLD},bob:{NEW}")
    compared = []
    compare = hmac.compare_digest

    def watch(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watch)
    both.name_of(OLD)
    assert len(compared) == 2


@pytest.mark.parametrize(
    "text",
    ["", ",", OLD, f":{OLD}", "ann:short", f"ann:{OLD},", f"ann:{OLD},bob:{OLD}", f"a b:{OLD}"],
)
def test_bad_tokens_do_not_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(RuntimeError, match="API_TOKENS"):
        tokens(monkeypatch, text)
    monkeypatch.delenv("API_TOKENS")
    with pytest.raises(RuntimeError, match="API_TOKENS"):
        Tokens.from_env()
