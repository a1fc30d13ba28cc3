"""What the proofs render with."""

import multiprocessing
from pathlib import Path

import copier

import family
import fast_copier
import matrix
import slices

LEAST = 15  # combinations; fewer would mean that some were lost on the way


def test_the_fast_way_renders_the_same(template: Path, tmp_path: Path) -> None:
    # Of each kind the last, in which most is not at its default.
    last = {family.kind(each): each for each in family.combinations()}.values()
    combinations = slices.taken(last)
    assert len(combinations) >= slices.least(LEAST)
    # And one whose paths are others, once those of its kind are known.
    combinations.append(combinations[0] | {"tune": True, "package_name": "another"})
    other = tmp_path / "other"
    write_other(other)
    # Each in a process of its own: this one renders the fast way already.
    context = multiprocessing.get_context("spawn")
    for way, initializer in (("plain", None), ("fast", fast_copier.install)):
        tasks = [
            (template, tmp_path / way / str(number), each)
            for number, each in enumerate(combinations)
        ]
        with context.Pool(1, initializer=initializer) as pool:
            assert pool.apply(is_fast) == (way == "fast")
            pool.starmap(family.render, [*tasks, (other, tmp_path / way / "other", {})])
    assert _files(tmp_path / "plain") == _files(tmp_path / "fast")


def test_a_few_projects_hold_every_source_file() -> None:
    trees: list[matrix.Tree] = [
        {"a.py": "1", "b.py": "1"},
        {"a.py": "1"},
        {"a.py": "2", "b.py": "1"},
        {"b.md": "9"},
    ]
    assert matrix.covering(trees, ".py") == [trees[0], trees[2]]


def write_other(template: Path) -> None:
    """A template with what ours has not: an executable file, one that is left out, and one that two overlays have."""
    for path, text in {
        "copier.yml": "_exclude: [copier.yml, left_out]\n_skip_if_exists: [twice]\nwords: {type: str, default: at last}",
        "left_out/file": "",
        "run": "",
        "{% if words %}.{% endif %}/twice.jinja": "{{ words }}",
        "twice.jinja": "{{ words }}, but longer" * 2,
        ".copier-answers.yml.jinja": "{{ _copier_answers | to_nice_yaml }}",
    }.items():
        (template / path).parent.mkdir(parents=True, exist_ok=True)
        (template / path).write_text(text)
    (template / "run").chmod(0o755)


def is_fast() -> bool:
    return bool(copier._main.Worker._render_template.__module__ == fast_copier.__name__)


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Contents and modes, by path."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }
