"""The command that starts the server."""

import sys


def command(_host: str, _port: int) -> list[str]:
    return [sys.executable, "-m", f"{__package__}.web"]  # it reads HOST and PORT
