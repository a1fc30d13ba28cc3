"""Distinct rendered files, and laying them out for a tool that reads folders."""

from collections.abc import Iterable
from pathlib import Path

# Path in the project, and content.
File = tuple[str, str]
Files = frozenset[File]


def lay(folder: Path, files: Iterable[File]) -> dict[Path, File]:
    """Write each into a project of its own, `folder/<number>/<path>`; which file lies where."""
    laid = {}
    for number, (path, content) in enumerate(sorted(files)):
        target = folder / str(number) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        laid[target] = (path, content)
    return laid


def one(files: Iterable[File], path: str) -> str:
    """The content of a file that has one; the first where it has several."""
    return min(content for name, content in files if name == path)
