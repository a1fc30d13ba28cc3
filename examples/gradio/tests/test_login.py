"""Users: who gets in, and what refuses to start."""

import hmac

import pytest

from myapi.login import Users

ANN, BOB = "ann-" + "1" * 16, "bob:" + "2" * 16


def users(monkeypatch: pytest.MonkeyPatch, text: str) -> Users:
    monkeypatch.setenv("LOGIN_USERS", text)
    return Users.from_env()


def test_each_of_several_users_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    both = users(monkeypatch, f"ann:{ANN}, bob@example.com:{BOB}")
    assert both.accept("ann", ANN)
    assert both.accept("bob@example.com", BOB)
    for user, password in (
        ("ann", BOB),
        ("ann", ""),
        ("ann", ANN + "1"),
        ("", ANN),
        ("Ann", ANN),
        ("bob@example.com:bob", "2" * 16),
        ("é", "\ud800"),
    ):
        assert not both.accept(user, password)


def test_every_user_is_compared_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = users(monkeypatch, f"ann:{ANN},bob:{BOB}")
    compared = []
    compare = hmac.compare_digest

    def watch(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watch)
    both.accept("ann", ANN)
    assert len(compared) == 2


@pytest.mark.parametrize(
    "text",
    ["", ",", ANN, f":{ANN}", "ann:short", f"ann:{ANN},", f"ann:{ANN},ann:{BOB}", f"a b:{ANN}"],
)
def test_bad_users_do_not_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(RuntimeError, match="LOGIN_USERS"):
        users(monkeypatch, text)
    monkeypatch.delenv("LOGIN_USERS")
    with pytest.raises(RuntimeError, match="LOGIN_USERS"):
        Users.from_env()


def test_a_failed_login_names_nobody_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    both = users(monkeypatch, f"ann:{ANN}")
    both.accept(ANN, "")
    both.accept("ann", ANN)
    refused, accepted = (vars(record) for record in caplog.records)
    assert (refused["accepted"], refused["user"]) == (False, None)
    assert (accepted["accepted"], accepted["user"]) == (True, "ann")
