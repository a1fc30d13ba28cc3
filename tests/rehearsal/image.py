"""The packages of a container: what the image's own commands install, and Modal's client beside them."""

import ast
import hashlib
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from modal_proto import api_pb2
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import compiled

# Several GB of CUDA with uv. The CPU build in this environment stands in for them.
HEAVY = "model"
HERE = Path(sysconfig.get_path("purelib"))


class ImageError(AssertionError):
    """The image cannot be built from what was sent, or lacks what a container imported."""


@dataclass(frozen=True)
class Image:
    """python: the environment's interpreter. locked: all that its `uv sync` asks for, by canonical name."""

    python: Path
    locked: frozenset[str]
    heavy: bool

    def path(self, client: Path) -> list[Path]:
        """What stands behind the environment on a container's path."""
        return [client, HERE] if self.heavy else [client]


def build(layers: Sequence[api_pb2.Image], folder: Path) -> Image:
    """Run the image's one `uv sync` on the files that were sent with it; the extra of several GB is left out.

    Images of the same files and arguments are built once.

    Raises:
        ImageError: when there is not one such command, or with what uv printed.
    """
    commands = [line for layer in layers for line in layer.dockerfile_commands]
    found = [shlex.split(line)[2:] for line in commands if re.match(r"RUN \S*uv sync ", line)]
    if len(found) != 1:
        raise ImageError(f"not one `uv sync` among the image's commands:\n{commands}")
    extras = [word.partition("=")[2] for word in found[0] if word.startswith("--extra=")]
    # What is imported here is compiled then.
    left_out = ("--project=", f"--extra={HEAVY}", "--compile-bytecode")
    options = [word for word in found[0] if not word.startswith(left_out)]
    sent = {file.filename: file.data for layer in layers for file in layer.context_files}
    if "/.uv.lock" not in sent:
        raise ImageError("no uv.lock was sent: the image would resolve afresh what nobody tested")
    key = hashlib.sha256(repr((sorted(sent.items()), options)).encode()).hexdigest()[:16]
    project = folder / key
    if not (project / "built").exists():
        project.mkdir(parents=True)
        for name, data in sent.items():  # the COPY commands drop the dot: /.uv.lock becomes uv.lock
            (project / name.removeprefix("/.")).write_bytes(data)
        _run(["uv", *options, "--python", sys.executable, "--quiet"], project)
        compiled.share(project / ".venv")
        (project / "built").touch()
    return Image(
        python=project / ".venv" / "bin" / "python",
        locked=frozenset(_locked(tomllib.loads(sent["/.uv.lock"].decode()), extras)),
        heavy=HEAVY in extras,
    )


def _run(command: Sequence[str], folder: Path) -> None:
    foreign = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    own = {name: value for name, value in os.environ.items() if name not in foreign}
    run = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise ImageError(f"{shlex.join(command)}\n{run.stderr}")


def _locked(lock: Mapping[str, Any], extras: Sequence[str]) -> set[str]:
    """The closure of the project's default dependencies and these of its extras, markers aside."""
    packages = {package["name"]: package for package in lock["package"]}
    (root,) = (
        package for package in lock["package"] if {"editable", "virtual"} & package["source"].keys()
    )
    found: set[tuple[str, tuple[str, ...]]] = set()
    wanted = [(root["name"], tuple(extras))]
    while wanted:
        name, with_extras = wanted.pop()
        if (name, with_extras) in found:
            continue
        found.add((name, with_extras))
        package = packages[name]
        optional = package.get("optional-dependencies", {})
        needed = package.get("dependencies", []) + [
            item for extra in with_extras for item in optional.get(extra, [])
        ]
        wanted += [(item["name"], tuple(item.get("extra", ()))) for item in needed]
    return {name for name, _ in found} - {root["name"]}


def client_folder(folder: Path) -> Path:
    """Modal's client and what it needs, as links: Modal mounts them behind everything else."""
    if not folder.exists():
        folder.mkdir(parents=True)
        for name in closure("modal"):
            for top in {file.parts[0] for file in importlib.metadata.files(name) or []}:
                if top != ".." and not (folder / top).exists():
                    (folder / top).symlink_to(HERE / top)
    return folder


@cache
def closure(name: str) -> frozenset[str]:
    """A distribution of this environment and all that it requires, by canonical name."""
    found: set[str] = set()
    wanted = [name]
    while wanted:
        if (known := canonicalize_name(wanted.pop())) not in found:
            found.add(known)
            wanted += _required(known)
    return frozenset(found)


def _required(name: str) -> Iterator[str]:
    for line in importlib.metadata.requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def check_imports(image: Image, root: Path, modules: Mapping[str, str]) -> int:
    """What the mounted modules of a container import comes from the lock file.

    Modal's client brings packages of its own along, so that an import may succeed there for the wrong reason.

    Args:
        root: the folder of what was mounted.
        modules: names and files of all modules that the container had loaded.

    Returns:
        How many mounted modules were looked at.

    Raises:
        ImageError: naming the module and what it imports.
    """
    mounted = [Path(file) for file in modules.values() if Path(file).is_relative_to(root)]
    own = {path.relative_to(root).parts[0].removesuffix(".py") for path in mounted}
    allowed = own | sys.stdlib_module_names | {"modal"}
    owners = importlib.metadata.packages_distributions()
    for path in mounted:
        for name in sorted(_imports(path) - allowed):
            sources = {canonicalize_name(owner) for owner in owners.get(name, [name])}
            if not sources & image.locked:
                raise ImageError(
                    f"{path.relative_to(root)} imports {name}, which uv.lock does not give the container"
                )
    return len(mounted)


def _imports(path: Path) -> set[str]:
    """Top-level names of all absolute imports of a file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names
