"""Where the command gets host and port. Yours, like the code it tests."""

import pytest

from myapi import command


def test_host_and_port_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "COMMAND", ["serve", "--on=$HOST:$PORT", "$PORTS", "$$ $1 {}"])
    assert command.command("::1", 1234) == ["serve", "--on=::1:1234", "$PORTS", "$$ $1 {}"]
