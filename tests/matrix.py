"""Every combination of answers: rendered, each twentieth twice, parsed, linted, formatted, imported.

    python tests/matrix.py [--sample]

What costs time is done once for each distinct file, source tree or package, known by its hash.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import yaml

import checks
import family
import fast_copier

# Fewer would mean that choices were lost on the way, not that the family shrank.
LEAST_COMBINATIONS = 1_000
LEAST_PACKAGES = 100
AGAIN = 20  # one of so many is rendered twice
# What was rendered last, for other proofs of the same template on the same machine.
KEPT = family.ROOT / ".nox" / "rendered"

Tree = Mapping[str, str]  # path in the project -> SHA-256 of the file


class Store:
    """Rendered files by their hash, so that a thousand projects take the room of a few."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, project: Path) -> Tree:
        tree = {}
        for folder, _, names in os.walk(project):
            for name in names:
                path = Path(folder, name)
                content = path.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                if not (self.folder / digest).exists():
                    (self.folder / digest).write_bytes(content)
                tree[path.relative_to(project).as_posix()] = digest
        return dict(sorted(tree.items()))

    def put(self, tree: Tree, project: Path) -> Path:
        for path, digest in tree.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_bytes(self.read(digest))
        return project

    def read(self, digest: str) -> bytes:
        return (self.folder / digest).read_bytes()


def render(task: tuple[Path, Path, family.Answers, int]) -> Tree:
    """Render one combination so many times and return its files; they must be the same each time."""
    template, store, answers, times = task
    trees = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            project = family.render(template, Path(folder), answers)
            recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
            wrong = {name for name, value in answers.items() if recorded.get(name) != value}
            assert not wrong, f"answers that are not recorded: {wrong}"
            trees.append(Store(store).take(project))
    assert all(tree == trees[0] for tree in trees), "the same answers gave different bytes"
    return trees[0]


def keep(
    template: Path, store: Store, combinations: Sequence[family.Answers], trees: list[Tree]
) -> None:
    """Keep what was rendered, in the place of what was kept before."""
    shutil.rmtree(KEPT, ignore_errors=True)
    shutil.copytree(store.folder, KEPT / "store")
    rendered = list(zip(combinations, trees, strict=True))
    (KEPT / "rendered.json").write_text(json.dumps([key_of(template), rendered]))


def kept(template: Path, store: Store) -> list[tuple[family.Answers, Tree]]:
    """What is kept of this very template, and its files in the store; nothing where that was another."""
    path = KEPT / "rendered.json"
    key, rendered = json.loads(path.read_text()) if path.exists() else ("", [])
    if key != key_of(template):
        return []
    shutil.copytree(KEPT / "store", store.folder, dirs_exist_ok=True)
    return [(answers, tree) for answers, tree in rendered]


def key_of(template: Path) -> str:
    """All that a rendered file depends on: Copier, Jinja, and the template."""
    parts = [f"copier {version('copier')}, jinja2 {version('jinja2')}"]
    for path in sorted(template.rglob("*")):
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            parts.append(f"{path.relative_to(template).as_posix()} {digest}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def covering(trees: list[Tree], suffix: str) -> list[Tree]:
    """Of the trees so many that each distinct file of this suffix is in one of them."""
    found: list[Tree] = []
    seen: set[tuple[str, str]] = set()
    for tree in trees:
        files = {(path, digest) for path, digest in tree.items() if path.endswith(suffix)}
        if not files <= seen:
            found.append(tree)
            seen |= files
    return found


def distinct(trees: list[Tree], prefix: str) -> list[Tree]:
    """The trees that differ in files of this prefix."""
    found: dict[tuple[tuple[str, str], ...], Tree] = {}
    for tree in trees:
        part = {p: d for p, d in tree.items() if p.startswith(prefix)}
        found.setdefault(tuple(sorted(part.items())), tree)
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sample", action="store_true", help="each style and auth once, and each Modal Server"
    )
    sample = parser.parse_args().sample
    combinations = [*family.styles(), *family.servers()] if sample else family.combinations()
    print(f"{len(combinations)} combinations", flush=True)
    if not sample:
        assert len(combinations) >= LEAST_COMBINATIONS, "too few combinations: this proves nothing"

    family.use_memory()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(family.isolate(Path(folder, "home")))
        template = family.export(Path(folder, "template"))
        store = Store(Path(folder, "store"))
        store.folder.mkdir()
        started = time.monotonic()
        tasks = [
            (template, store.folder, answers, 1 if number % AGAIN else 2)
            for number, answers in enumerate(combinations)
        ]
        with multiprocessing.Pool(initializer=fast_copier.install) as pool:
            rendered = pool.imap(render, tasks, chunksize=4)
            trees = list(family.counted(rendered, len(tasks), "rendered"))
        if not sample:
            keep(template, store, combinations, trees)

        files = {(path, digest) for tree in trees for path, digest in tree.items()}
        for path, digest in sorted(files):
            checks.check_file(path, store.read(digest))
        print(f"{len(files)} distinct files parse", flush=True)

        # pyproject.toml holds the linter's settings, which are the same for all; it looks at one file at a time.
        sources = covering(trees, suffix=".py")
        projects = Path(folder, "projects")
        for number, tree in enumerate(sources):
            store.put(tree, projects / str(number))
        checks.check_style(projects)
        count = len({(path, digest) for path, digest in files if path.endswith(".py")})
        print(f"{count} distinct source files are clean, in {len(sources)} projects", flush=True)

        packages = distinct(trees, prefix="src/")
        if not sample:
            assert len(packages) >= LEAST_PACKAGES, "too few distinct packages"
        for number, tree in enumerate(packages):
            store.put(tree, Path(folder, "packages", str(number)))
        imported = family.counted(range(len(packages)), len(packages), "imported")
        checks.check_imports(
            (Path(folder, "packages", str(number)), family.NAME) for number in imported
        )
        print(f"{len(packages)} distinct packages import without a warning", flush=True)
        seconds = time.monotonic() - started
        print(f"{len(combinations) / seconds:.1f} combinations a second, {seconds:.0f} s")


if __name__ == "__main__":
    main()
