"""The template's past and future as a repository to update from: its releases, the working tree, and a release after that."""

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import family
import releases
from releases import git


@dataclass(frozen=True)
class History:
    """A repository with a tag for each release; its last two are the working tree and what may come after it."""

    folder: Path
    released: tuple[str, ...]  # tags of what is released, oldest first
    today: str  # the working tree
    tomorrow: str  # touches the files that owners touch

    @property
    def url(self) -> str:
        return str(self.folder)

    def having(self, kind: str) -> tuple[str, ...]:
        """The released that can render this kind of project; none for one that is new."""
        facts = f"styles/{kind}.yml"
        return tuple(tag for tag in self.released if git(self.folder, "ls-tree", tag, facts))


def build(folder: Path) -> History:
    """Make the repository."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    past = releases.released()
    for version, commit in past.items():
        clear(folder)
        # What Copier does not read is left out: each update clones it five times.
        archive = subprocess.run(
            ["git", "archive", commit, "--", ".", ":!examples", ":!tests"],
            cwd=family.ROOT,
            check=True,
            capture_output=True,
        ).stdout
        subprocess.run(["tar", "--extract"], cwd=folder, input=archive, check=True)
        tag(folder, f"v{version}")
    clear(folder)
    family.export(folder)
    shutil.rmtree(folder / "tests")
    major, minor, _ = releases.ordered(max(past, key=releases.ordered, default="0.0.0"))
    today, tomorrow = f"v{major}.{minor + 1}.0", f"v{major}.{minor + 2}.0"
    tag(folder, today)
    touch(folder)
    tag(folder, tomorrow)
    return History(folder, tuple(f"v{version}" for version in past), today, tomorrow)


def break_(history: History, folder: Path, change: Callable[[Path], None]) -> History:
    """A copy in which the working tree, and what comes after it, is changed; its past is the same."""
    shutil.copytree(history.folder, folder)
    git(folder, "checkout", "--quiet", "--detach", history.today)
    change(folder)
    tag(folder, history.today)
    touch(folder)
    tag(folder, history.tomorrow)
    return dataclasses.replace(history, folder=folder)


def clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def tag(folder: Path, name: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", name)
    git(folder, "tag", "--force", name)


def touch(folder: Path) -> None:
    """Change what a project's owner changes too: numbers, dependencies, prose, and the end of each file of code."""
    for facts in (folder / "styles").glob("*.yml"):
        replace(facts, r"(max_containers|scaledown_window): (\d+)", r"\1: 1\2")
    replace(
        folder / "template/pyproject.toml.jinja", "'mypy>=2.4', ", "'iniconfig>=2', 'mypy>=2.3', "
    )
    replace(
        folder / "includes/readme/watch.md",
        "## Watch it\n",
        "## Watch it\n\nLook at it now and then.\n",
    )
    replace(folder / "template/.devcontainer/devcontainer.json.jinja", "8000", "8001")
    replace(folder / "template/AGENTS.md.jinja", "## Rules\n", "## Rules\n\n- Be kind.")
    replace(folder / "copier.yml", '    "proprietary.*\n', "")
    starters = {
        "handlers.py",
        "settings.py",
        "test_handlers.py",
        "examples/client.py",
        "test_client.py",
    }
    for code in (folder / "template").rglob("*.py*"):
        path = code.with_name(code.name.removesuffix(".jinja"))
        if code.stat().st_size and not any(path.match(starter) for starter in starters):
            code.write_text(code.read_text() + "\n# Of tomorrow.\n")


def replace(file: Path, pattern: str, instead: str) -> None:
    text = file.read_text()
    changed = re.sub(pattern, instead, text)
    assert changed != text, f"{file.name} does not hold {pattern}"
    file.write_text(changed)
