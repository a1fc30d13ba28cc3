"""Whether the rehearsal carries all that a container can do: bodies, streams, sockets, snapshots, servers."""

import contextlib
import hashlib
import http.client
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .ask import Ask, ask
from .container import ContainerError
from .deploy import DeployError
from .perform import port
from .stage import Stage

APP = Path(__file__).with_name("probe_app.py")
PYPROJECT = """
[project]
name = "probe"
version = "1"
requires-python = ">=3.11"
dependencies = ["fastapi>=0.165,<1"]
"""
LARGE = bytes(range(256)) * 20_000  # 5 MB
SECONDS = 30


def check(stage: Stage, folder: Path) -> int:
    """Deploy and run the probe; return how many things were seen.

    Raises:
        AssertionError: when one is not as it is on Modal.
    """
    asked: list[Callable[[str], None]] = [
        snapshot,
        bodies,
        chunks_as_they_come,
        sockets,
        leaving_is_seen,
    ]
    with port() as number:
        project = write(folder / "probe", number)
        app = stage.deploy(project, "probe", "probe")
        with stage.served(app, function="Probe.*") as served:
            for each in asked:
                each(served.url)
        assert served.container.worker.snapshots == 1, "not one snapshot"
        assert "goodbye" in served.container.printed, "the exit handler did not run"
        with stage.served(app, function="Server") as server:
            assert ask(server.url, Ask("GET", "/")).status == 200
    refused = [hidden_server, unknown_call]
    for refuse in refused:
        refuse(stage, folder)
    return len(asked) + len(refused)


def write(project: Path, number: int, host: str = "0.0.0.0") -> Path:  # noqa: S104 (of a container)
    """A project around the probe, whose server listens on this host and port."""
    package = project / "src" / "probe"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    text = APP.read_text().replace("PORT = 8000", f"PORT = {number}").replace("0.0.0.0", host)  # noqa: S104
    (package / "modal_app.py").write_text(text)
    (project / "pyproject.toml").write_text(PYPROJECT)
    subprocess.run(["uv", "lock", "--quiet"], cwd=project, check=True)
    return project


def snapshot(url: str) -> None:
    assert ask(url, Ask("GET", "/tasks")).json() == ["ta-1", "ta-2"], "no restore between the two"


def bodies(url: str) -> None:
    """Large ones arrive whole, announced or in chunks, in both directions."""
    expected = {"bytes": len(LARGE), "sha256": hashlib.sha256(LARGE).hexdigest()}
    for chunks in (0, 7):
        assert ask(url, Ask("POST", "/digest", body=LARGE, chunks=chunks)).json() == expected
    assert len(ask(url, Ask("GET", f"/large?size={len(LARGE)}")).body) == len(LARGE)


def chunks_as_they_come(url: str) -> None:
    """The first part of an answer is there before the second is made, and others are answered meanwhile."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.readline() == b"one\n"
    assert ask(url, Ask("POST", "/go")).status == 200
    assert answer.read() == b"two\n"
    connection.close()


def sockets(url: str) -> None:
    """Text, binary, large and closed from there."""
    with connect(url.replace("http", "ws", 1) + "/ws", subprotocols=["b", "a"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "b"
        for text in ("é", "x" * 900_000):
            socket.send(text)
            assert socket.recv(SECONDS) == text.encode()
        socket.send("close")
        with contextlib.suppress(ConnectionClosed):
            socket.recv(SECONDS)
        assert (socket.close_code, socket.close_reason) == (4321, "as you wish")


def leaving_is_seen(url: str) -> None:
    """A client that goes away in the middle of a stream or a socket is noticed by the application."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    connection.request("GET", "/stream")
    connection.getresponse().readline()
    connection.close()
    with connect(url.replace("http", "ws", 1) + "/ws"):
        pass
    deadline = time.monotonic() + SECONDS
    while len(left := ask(url, Ask("GET", "/left")).json()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sorted(left) == ["socket", "stream"], left


def hidden_server(stage: Stage, folder: Path) -> None:
    """A Modal Server that listens on 127.0.0.1 only is not found."""
    with port() as number:
        app = stage.deploy(write(folder / "hidden", number, "127.0.0.1"), "probe", "hidden")
        with (
            pytest.raises(ContainerError, match=r"nothing listens on .*127\.0\.0\.2"),
            stage.served(app, function="Server"),
        ):
            pass


def unknown_call(_: Stage, folder: Path) -> None:
    """What the control plane does not know fails by its name; on a stage of its own, which remembers it."""
    with Stage() as other:
        with pytest.raises(DeployError, match="does not know VolumeList"):
            other.command(folder, "uv run modal volume list", "unknown")
        assert other.plane.unknown == ["VolumeList"], other.plane.unknown
