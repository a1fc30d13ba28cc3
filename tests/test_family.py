"""What the proofs render with."""

import multiprocessing
from pathlib import Path

import family

LEAST = 20  # combinations; fewer would mean that some were lost on the way


def test_the_fast_way_renders_the_same(template: Path, tmp_path: Path) -> None:
    combinations = family.combinations()[::97]
    assert len(combinations) >= LEAST
    slow, fast = tmp_path / "slow", tmp_path / "fast"
    tasks = [(template, fast / str(number), each) for number, each in enumerate(combinations)]
    # In a process of its own, which it changes.
    with multiprocessing.get_context("spawn").Pool(1, initializer=family.render_fast) as pool:
        pool.starmap(family.render, tasks)
    for number, answers in enumerate(combinations):
        family.render(template, slow / str(number), answers)
    assert _files(fast) == _files(slow)


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Contents and modes, by path."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }
