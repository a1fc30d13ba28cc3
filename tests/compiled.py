"""What Python compiled of installed packages, kept once for the many environments in which uv puts the same files."""

import os
from pathlib import Path

import family

KEPT = family.ROOT / ".nox" / "compiled"


def share(environment: Path) -> None:
    """Let the packages of an environment have one `__pycache__` with all other environments that hold the same files.

    The same is a file that uv has linked from its cache, by its inode; Python looks at its time and its size too.
    """
    for folder, folders, files in os.walk(environment / "lib"):
        sources = sorted(name for name in files if name.endswith(".py"))
        if sources and "__pycache__" not in folders:
            path = Path(folder)
            first = (path / sources[0]).stat()
            kept = KEPT / path.relative_to(environment) / f"{first.st_dev}-{first.st_ino}"
            kept.mkdir(parents=True, exist_ok=True)
            (path / "__pycache__").symlink_to(kept)
