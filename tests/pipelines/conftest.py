"""Projects of each kind, each with a world of its own."""

import asyncio
import contextlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import family
from pipelines.world import GH, KINDS, MODAL, PATIENCE, PIP, UV, Plane, Site, World, Worlds, served


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plane, str]]:
    plane, loop = Plane(), asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    path = str(tmp_path_factory.mktemp("plane") / "s")
    url = asyncio.run_coroutine_threadsafe(plane.listen(path), loop).result()
    yield plane, url
    asyncio.run_coroutine_threadsafe(plane.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """One of each kind, its pipelines impatient and it a repository."""
    found = {}
    for kind, answers in KINDS.items():
        project = family.render(template, tmp_path_factory.mktemp(kind), answers)
        replace(project / "ci/project.py", r"SMOKE_PATIENCE = \d+", f"SMOKE_PATIENCE = {PATIENCE}")
        for command in ("init -q", "add -A", "commit -qm Project"):
            subprocess.run(["git", *command.split()], cwd=project, check=True)
        found[kind] = project
    return found


def replace(file: Path, pattern: str, instead: str) -> None:
    text, times = re.subn(pattern, lambda _: instead, file.read_text())
    assert times == 1, f"{file.name} holds {times} times: {pattern}"
    file.write_text(text)


@pytest.fixture
def worlds(
    projects: Mapping[str, Path], plane: tuple[Plane, str], tmp_path: Path
) -> Iterator[Worlds]:
    with contextlib.ExitStack() as stack:

        def make(kind: str) -> World:
            folder = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}"
            (folder / "bin").mkdir(parents=True)
            for name, text in {"modal": MODAL, "uv": UV, "gh": GH, "pip": PIP}.items():
                program = folder / "bin" / name
                program.write_text(text.format(python=sys.executable, folder=str(folder)))
                program.chmod(0o755)
            auth = KINDS[kind]["auth"]
            shutil.copytree(projects[kind], folder / "project")
            site = stack.enter_context(served(Site(auth)))
            plane[0].__init__()  # type: ignore[misc]
            world = World(folder, folder / "project", *plane, site, auth)
            world.versions("now", "0123456789abcdef")
            world.environments("main")
            return world

        yield make
