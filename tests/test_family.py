"""What the proofs render with."""

import multiprocessing
from pathlib import Path

import copier

import family
import matrix

LEAST = 15  # combinations; fewer would mean that some were lost on the way


def test_the_fast_way_renders_the_same(template: Path, tmp_path: Path) -> None:
    # Of each kind the last, in which most is not at its default.
    combinations = list({family.kind(each): each for each in family.combinations()}.values())
    assert len(combinations) >= LEAST
    # And one whose paths are others, once those of its kind are known.
    combinations.append(family.kinds()["api"] | {"tune": True, "package_name": "another"})
    # Each in a process of its own: this one renders the fast way already.
    context = multiprocessing.get_context("spawn")
    for way, initializer in (("plain", None), ("fast", family.render_fast)):
        tasks = [
            (template, tmp_path / way / str(number), each)
            for number, each in enumerate(combinations)
        ]
        with context.Pool(1, initializer=initializer) as pool:
            assert pool.apply(is_fast) == (way == "fast")
            pool.starmap(family.render, tasks)
    assert _files(tmp_path / "plain") == _files(tmp_path / "fast")


def test_a_few_projects_hold_every_source_file() -> None:
    trees: list[matrix.Tree] = [
        {"a.py": "1", "b.py": "1"},
        {"a.py": "1"},
        {"a.py": "2", "b.py": "1"},
        {"b.md": "9"},
    ]
    assert matrix.covering(trees, ".py") == [trees[0], trees[2]]


def is_fast() -> bool:
    return bool(copier._main.Worker._render_template.__module__ == family.__name__)


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Contents and modes, by path."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }
