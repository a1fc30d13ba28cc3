"""The server, whatever it is: it starts, listens where it is told to, and speaks HTTP."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from myapi.command import command
from myapi.process import Process

STARTUP_SECONDS = 60


@pytest.fixture(scope="module")
def connection(port: int) -> Iterator[HTTPConnection]:
    process = Process(command("127.0.0.1", port), "127.0.0.1", port)
    try:
        process.wait_until_ready(STARTUP_SECONDS)
        yield HTTPConnection("127.0.0.1", port, timeout=10)
        process.check()  # it stays in the foreground
    finally:
        process.stop()


def test_it_speaks_http(connection: HTTPConnection) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    assert answer.status < 500


def test_an_end_of_the_connection_does_not_end_it(connection: HTTPConnection) -> None:
    connection.close()
    connection.request("GET", "/")
    connection.getresponse().read()
