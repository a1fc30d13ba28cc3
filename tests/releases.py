"""The releases of the template, found in its history; and how the next one is made.

    python tests/releases.py                       prints version and commit of each, oldest first
    python tests/releases.py notes 1.2.0           prints what CHANGELOG.md says of it

CHANGELOG.md is the source: a release is the commit that added its heading. So tests know the past in a clone without tags
too, and a workflow can tag what has none. Needs only Git and the standard library.
"""

import datetime
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = "CHANGELOG.md"
UNRELEASED = "## [Unreleased]\n"
HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", re.MULTILINE)
BREAKING = "### Breaking"


class ReleaseError(Exception):
    """Why there is no release, in one sentence."""


def released(root: Path = ROOT) -> dict[str, str]:
    """The commit of each version in CHANGELOG.md, oldest version first; headings not yet committed are left out.

    Raises:
        ReleaseError: in a shallow clone, whose oldest commit would pass for every release.
    """
    if git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise ReleaseError(
            "This clone is shallow, so its releases cannot be found: git fetch --unshallow"
        )
    commits = {}
    for version in sorted(versions(root), key=ordered):
        # Both a commit that adds the heading and one that takes it back are found; as it is there, the last one added it.
        found = git(root, "log", "-1", "--format=%H", f"-S## [{version}]", "--", CHANGELOG)
        if found:
            commits[version] = found
    return commits


def versions(root: Path = ROOT) -> list[str]:
    """The versions in CHANGELOG.md, as they stand there: newest first."""
    return HEADING.findall((root / CHANGELOG).read_text())


def ordered(version: str) -> tuple[int, ...]:
    """A key that sorts versions."""
    return tuple(int(part) for part in version.split("."))


def notes(version: str, root: Path = ROOT) -> str:
    """What CHANGELOG.md says of a version, or of what is `Unreleased`, without the heading."""
    text = (root / CHANGELOG).read_text()
    section = re.search(
        rf"^## \[{re.escape(version)}\].*\n(?P<notes>(?:(?!## \[).*\n?)*)", text, re.MULTILINE
    )
    return section["notes"].strip() if section else ""


def prepare(version: str, prove: Callable[[], None], root: Path = ROOT) -> None:
    """Commit a release: what was unreleased in CHANGELOG.md gets the version's heading.

    Args:
        version: X.Y.Z, greater than all before; a greater X where something breaking is in it.
        prove: raises where updates to what is released would fail.
        root: the repository.

    Raises:
        ReleaseError: with nothing changed.
    """
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ReleaseError(f"{version!r} is not a version like 1.2.0: three numbers, no v.")
    if git(root, "status", "--porcelain"):
        raise ReleaseError("There are uncommitted changes: commit or stash them first.")
    latest = max(versions(root), key=ordered, default="0.0.0")
    if ordered(version) <= ordered(latest):
        raise ReleaseError(f"{version} does not grow: the latest release is {latest}.")
    if not (unreleased := notes("Unreleased", root)):
        raise ReleaseError(f"{CHANGELOG} has nothing under [Unreleased]: say what is new.")
    if BREAKING in unreleased and ordered(version)[0] == ordered(latest)[0]:
        raise ReleaseError(
            f"What is unreleased is breaking: {latest} must grow in its first number."
        )
    prove()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    changelog = root / CHANGELOG
    text = changelog.read_text()
    changelog.write_text(text.replace(UNRELEASED, f"{UNRELEASED}\n## [{version}] - {today}\n", 1))
    git(root, "commit", "--quiet", "--message", f"Release {version}", "--", CHANGELOG)


def git(root: Path, *arguments: str) -> str:
    """What `git …` prints there, without the last newline."""
    run = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return run.stdout.rstrip("\n")


def main(arguments: list[str]) -> None:
    try:
        match arguments:
            case []:
                for version, commit in released().items():
                    print(version, commit)
            case ["notes", version]:
                print(notes(version))
            case _:
                raise ReleaseError("Allowed are no argument, or: notes VERSION")
    except ReleaseError as error:
        sys.exit(f"releases.py: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
