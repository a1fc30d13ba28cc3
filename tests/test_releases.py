"""Releases are found in history, with and without tags; the next one is made only where it may be; a workflow publishes them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import family
import releases
from releases import ReleaseError, git

TITLE = "# Changelog\n\n"
SCRIPT = ".github/release.sh"


def nothing() -> None:
    pass


def write(root: Path, text: str, message: str) -> str:
    (root / "CHANGELOG.md").write_text(TITLE + text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with 0.9.0, whose heading was taken back once, and something unreleased."""
    root = tmp_path / "template"
    root.mkdir()
    git(root, "init", "--quiet")
    write(root, "## [Unreleased]\n\n## [0.9.0] - 2026-01-01\n\n- A.\n", "Too early")
    write(root, "## [Unreleased]\n\n- A.\n", "Taken back")
    write(root, "## [Unreleased]\n\n## [0.9.0] - 2026-01-02\n\n- A.\n- B.\n", "Release 0.9.0")
    write(root, "## [Unreleased]\n\n- C.\n\n## [0.9.0] - 2026-01-02\n\n- A.\n- B.\n", "C")
    return root


def test_a_release_is_the_last_commit_that_added_its_heading(root: Path) -> None:
    (version,), (commit,) = zip(*releases.released(root).items(), strict=True)
    assert version == "0.9.0"
    assert git(root, "log", "-1", "--format=%s", commit) == "Release 0.9.0"


def test_a_shallow_clone_is_refused(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{root}", "shallow")
    with pytest.raises(ReleaseError, match="shallow"):
        releases.released(tmp_path / "shallow")


def test_this_repository_has_releases() -> None:
    found = releases.released()
    assert list(found) == sorted(found, key=releases.ordered)
    for version, commit in found.items():
        assert git(family.ROOT, "log", "-1", "--format=%s", commit) == f"Release {version}"
        changed = git(family.ROOT, "show", "--name-only", "--format=", commit).splitlines()
        assert changed == [releases.CHANGELOG], "a release is a commit of its own"


def test_a_release_gives_its_heading_to_what_was_unreleased(root: Path) -> None:
    proved = []
    releases.prepare("0.10.0", lambda: proved.append(True), root)
    assert proved == [True]
    assert list(releases.released(root)) == ["0.9.0", "0.10.0"]
    assert releases.notes("0.10.0", root) == "- C."
    assert releases.notes("Unreleased", root) == ""
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "log", "-1", "--format=%s") == "Release 0.10.0"


def dirty(root: Path) -> None:
    (root / "new.txt").touch()


def released(root: Path) -> None:
    write(root, "## [Unreleased]\n\n## [0.9.0] - 2026-01-02\n\n- A.\n", "Nothing new")


def breaking(root: Path) -> None:
    write(root, "## [Unreleased]\n\n### Breaking\n\n- D.\n\n## [0.9.0] - 2026-01-02\n\n- A.\n", "D")


def fail() -> None:
    raise ReleaseError("An update fails.")


REFUSED: dict[str, tuple[str, Callable[[Path], None] | None, Callable[[], None], str]] = {
    "a version that does not grow": (
        "0.9.0",
        None,
        nothing,
        "0.9.0 does not grow: the latest release is 0.9.0.",
    ),
    "a lower version": ("0.8.9", None, nothing, "does not grow"),
    "a tag": (
        "v1.0.0",
        None,
        nothing,
        "'v1.0.0' is not a version like 1.2.0: three numbers, no v.",
    ),
    "two numbers": ("1.0", None, nothing, "is not a version"),
    "a leading zero": ("1.0.01", None, nothing, "is not a version"),
    "uncommitted changes": ("1.0.0", dirty, nothing, "There are uncommitted changes"),
    "nothing new": ("1.0.0", released, nothing, "has nothing under [Unreleased]"),
    "a breaking change in a minor release": (
        "0.10.0",
        breaking,
        nothing,
        "must grow in its first number",
    ),
    "an update that fails": ("1.0.0", None, fail, "An update fails."),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_release_is_refused_and_nothing_is_changed(root: Path, what: str) -> None:
    version, prepare, prove, words = REFUSED[what]
    if prepare:
        prepare(root)
    before = git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")
    with pytest.raises(ReleaseError) as refusal:
        releases.prepare(version, prove, root)
    assert words in str(refusal.value)
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")) == before


# ---- Publishing --------------------------------------------------------------------------------

# GitHub's command line: makes the tag of a release, as GitHub does, and remembers what it was told.
GH = """#!{python}
import json, pathlib, subprocess, sys
arguments = sys.argv[1:]
assert arguments[:2] == ["release", "create"], arguments
if (pathlib.Path(__file__).parent / "fails").exists():
    sys.exit("gh: HTTP 502")
target = arguments[arguments.index("--target") + 1]
subprocess.run(["git", "push", "--quiet", "origin", f"{{target}}:refs/tags/{{arguments[2]}}"], check=True)
with (pathlib.Path(__file__).parent / "calls").open("a") as calls:
    calls.write(json.dumps([arguments, sys.stdin.read()]) + "\\n")
"""


@pytest.fixture
def published(root: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the workflow's script in a clone of a repository of two releases."""
    releases.prepare("0.10.0", nothing, root)
    (root / "tests").mkdir()
    for name in ("tests/releases.py", SCRIPT):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes((family.ROOT / name).read_bytes())
    write(root, (root / "CHANGELOG.md").read_text().removeprefix(TITLE), "Tools")
    git(tmp_path, "clone", "--quiet", "--bare", str(root), "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "clone")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text(GH.format(python=sys.executable))
    (tmp_path / "bin/gh").chmod(0o755)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", SCRIPT],
            cwd=tmp_path / "clone",
            env=os.environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def tags(tmp_path: Path) -> dict[str, str]:
    listed = git(
        tmp_path / "origin.git",
        "for-each-ref",
        "--format=%(refname:short) %(objectname)",
        "refs/tags",
    )
    return dict(line.split() for line in listed.splitlines())


def test_what_has_no_tag_is_tagged_and_published_once(
    published: Callable[[], subprocess.CompletedProcess[str]], root: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        run = published()
        assert run.returncode == 0, run.stderr
    expected = {f"v{version}": commit for version, commit in releases.released(root).items()}
    assert tags(tmp_path) == expected
    calls = (tmp_path / "bin/calls").read_text().splitlines()
    assert len(calls) == 2
    assert "- C." in calls[1]


def test_a_failure_is_red_and_leaves_no_tag(
    published: Callable[[], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "bin/fails").touch()
    assert published().returncode != 0
    assert tags(tmp_path) == {}


def test_only_what_ci_passed_is_published() -> None:
    workflow = yaml.safe_load((family.ROOT / ".github/workflows/release.yml").read_text())
    ci = yaml.safe_load((family.ROOT / ".github/workflows/ci.yml").read_text())
    trigger = workflow[True]["workflow_run"]  # YAML reads `on` as a yes
    assert trigger == {"workflows": [ci["name"]], "types": ["completed"], "branches": ["main"]}
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "write"}
    assert "conclusion == 'success'" in job["if"]
    assert "event == 'push'" in job["if"]
    checkout, publish = job["steps"]
    assert checkout["with"]["fetch-depth"] == 0
    assert checkout["with"]["ref"] == "${{ github.event.workflow_run.head_sha }}"
    assert publish["run"] == f"bash {SCRIPT}"
