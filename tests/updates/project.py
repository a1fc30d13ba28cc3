"""A project between two releases: rendered, edited by its owner, updated, and held against what must come out."""

import contextlib
import functools
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import copier
import yaml
from copier import VcsRef

import family
from releases import git
from updates.history import History

ANSWERS = ".copier-answers.yml"
MARKERS = re.compile(r"^(<<<<<<< before updating|>>>>>>> after updating)$", re.MULTILINE)
Files = Mapping[str, bytes]  # path in the project -> content


@dataclass
class Project:
    """A project in a Git repository, with everything committed.

    Attributes:
        folder: its root.
        history: what it was rendered from.
        printed: what Copier said at the last update.
    """

    folder: Path
    history: History
    printed: str = ""

    def commit(self, message: str) -> "Project":
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
        return self

    def update(self, ref: str | VcsRef, **data: object) -> "Project":
        """`copier update --defaults`, without trust."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            copier.run_update(self.folder, data=data, vcs_ref=ref, defaults=True, overwrite=True)
        self.printed = said.getvalue()
        return self

    def files(self) -> Files:
        """What Git sees of it, uncommitted changes included."""
        listed = git(
            self.folder,
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
            "--deduplicate",
        )
        paths = [self.folder / name for name in listed.split("\0") if name]
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in paths
            if path.is_file()
        }

    def answers(self) -> family.Answers:
        """What it has recorded, without what Copier adds."""
        recorded = yaml.safe_load((self.folder / ANSWERS).read_text())
        return {name: value for name, value in recorded.items() if not name.startswith("_")}

    def conflicts(self) -> set[str]:
        """Files with markers; none without that Git knows them as unmerged too."""
        marked = {
            name for name, content in self.files().items() if MARKERS.search(content.decode())
        }
        unmerged = set(git(self.folder, "diff", "--name-only", "--diff-filter=U").splitlines())
        assert marked == unmerged, f"marked: {marked}, unmerged for Git: {unmerged}"
        return marked


@contextlib.contextmanager
def made(history: History, ref: str, answers: family.Answers) -> Iterator[Project]:
    """A project of a release, committed; it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="updates") as folder:
        project = Project(Path(folder, family.NAME), history)
        for name, content in rendered(history, ref, answers).items():
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (project.folder / name).write_bytes(content)
        git(project.folder, "init", "--quiet")
        yield project.commit("Rendered")


def rendered(history: History, ref: str, answers: family.Answers) -> Files:
    """What a fresh render of a release holds."""
    return _rendered(history, ref, json.dumps(answers))


@functools.lru_cache(64)
def _rendered(history: History, ref: str, answers: str) -> Files:
    with tempfile.TemporaryDirectory(prefix="updates") as folder:
        project = Path(folder, family.NAME)
        data = json.loads(answers)
        copier.run_copy(history.url, project, data=data, vcs_ref=ref, defaults=True, quiet=True)
        return {
            path.relative_to(project).as_posix(): path.read_bytes()
            for path in project.rglob("*")
            if path.is_file()
        }


def check_equal(files: Files, expected: Files) -> None:
    """The same files with the same bytes."""
    missing, more = expected.keys() - files.keys(), files.keys() - expected.keys()
    assert not missing, f"missing: {sorted(missing)}"
    assert not more, f"left over: {sorted(more)}"
    other = [name for name in files if files[name] != expected[name]]
    assert not other, f"other than a fresh render: {other}"


def check_merged(base: Files, mine: Files, theirs: Files, files: Files) -> set[str]:
    """Each file is what a three-way merge by Git makes of it; return those that the merge leaves to the owner.

    Args:
        base: the old release, rendered.
        mine: the project before the update.
        theirs: the new release, rendered with the same answers.
        files: the project after the update.
    """
    conflicts = set()
    for name in sorted({*base, *mine, *theirs, *files} - {ANSWERS, "uv.lock"}):
        old, own, new = base.get(name), mine.get(name), theirs.get(name)
        if own == old:
            expected = new  # the owner did not touch it
        elif new == old or (own is None and old is not None):
            expected = own  # the template did not, or the owner deleted it
        elif own is None:
            expected = new
        elif new is None:
            expected = None if old is not None else own
        else:
            expected, conflicting = merged(old or b"", own, new)
            if conflicting:
                conflicts.add(name)
        assert files.get(name) == expected, f"{name} is not what Git's merge makes of it:\n" + (
            f"{text(files.get(name))}\n--- expected:\n{text(expected)}"
        )
    return conflicts


def text(content: bytes | None) -> str:
    return "no such file" if content is None else content.decode()


def merged(old: bytes, own: bytes, new: bytes) -> tuple[bytes, bool]:
    with tempfile.TemporaryDirectory() as folder:
        names = ("before updating", "last update", "after updating")
        for name, content in zip(names, (own, old, new), strict=True):
            Path(folder, name).write_bytes(content)
        labels = [part for name in names for part in ("-L", name)]
        run = subprocess.run(
            ["git", "merge-file", "-p", *labels, *names],
            cwd=folder,
            check=False,
            capture_output=True,
        )
    assert 0 <= run.returncode < 128, run.stderr  # the number of conflicts
    return run.stdout, run.returncode > 0


def lock(project: Project) -> None:
    uv(project, "lock", "--quiet")


def run_suite(project: Project) -> int:
    """The project's own tests, in the proofs' environment, which has what every style installs; how many passed."""
    lock(project)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", "--color=no", "-p", "no:cacheprovider"],
        cwd=project.folder,
        env=os.environ | family.OWN_PLUGINS | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, f"its own tests:\n{run.stdout[-6000:]}{run.stderr[-2000:]}"
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed, run.stdout
    return int(passed[1])


def uv(project: Project, *arguments: str) -> None:
    run = subprocess.run(
        ["uv", *arguments], cwd=project.folder, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, f"uv {arguments[0]}:\n{run.stderr}"
