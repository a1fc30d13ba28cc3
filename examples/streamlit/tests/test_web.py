"""The process that serves the page, whatever the page is."""

from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from myapi.command import command
from myapi.process import Process


@pytest.fixture(scope="module")
def address(port: int) -> Iterator[str]:
    process = Process(command("127.0.0.1", port), "127.0.0.1", port)
    try:
        process.wait_until_ready(60)
        yield f"127.0.0.1:{port}"
    finally:
        process.stop()


def test_the_process_answers(address: str) -> None:
    with urlopen(f"http://{address}/_stcore/health", timeout=5) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")
    with urlopen(f"http://{address}/", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")


def test_its_options() -> None:
    options = dict(
        option.removeprefix("--").split("=", 1)
        for option in command("0.0.0.0", 8000)  # noqa: S104 (compared)
        if option.startswith("--")
    )
    assert (options["server.address"], options["server.port"]) == ("0.0.0.0", "8000")  # noqa: S104 (compared)
    assert options["browser.gatherUsageStats"] == "false"
    # They keep strangers' pages from using a visitor's session.
    assert "false" not in (
        options.get("server.enableCORS"),
        options.get("server.enableXsrfProtection"),
    )
