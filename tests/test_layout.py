"""How files of the template become files of a project.

Overlays rest on how Copier joins path parts: a part that renders to `.` vanishes, an empty one drops what is
below it. That is nowhere promised, so this runs on the lowest and on the newest Copier.
"""

import re
from pathlib import Path, PurePosixPath

import pytest

import family
import slices

TREE = family.ROOT / "template"
PARTS = {part for path in TREE.rglob("*") for part in path.relative_to(TREE).parts}
SOME: list[family.Answers] = slices.of_each(family.styles(), family.kind)
WINDOWS_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{d}{n}" for d in ("com", "lpt") for n in range(10)),
}


def test_a_part_that_renders_to_a_dot_vanishes_and_an_empty_one_drops_its_content(
    tmp_path: Path,
) -> None:
    template = tmp_path / "template"
    files = {
        "copier.yml": "kept: {type: str, default: '.', when: false}\n"
        "dropped: {type: str, default: '', when: false}\n"
        "name: {type: str, default: pkg}\n"
        "_subdirectory: tree\n",
        "tree/base.txt": "base",
        "tree/{{ kept }}/src/{{ name }}/plain.py": "{{ untouched }}",
        "tree/{{ kept }}/named.txt.jinja": "{{ name }}",
        "tree/{{ dropped }}/src/{{ name }}/gone.py": "",
        "tree/{{ dropped }}/gone.txt": "",
    }
    for name, content in files.items():
        (template / name).parent.mkdir(parents=True, exist_ok=True)
        (template / name).write_text(content)
    project = family.render(template, tmp_path, {})
    rendered = {path.relative_to(project).as_posix() for path in project.rglob("*")}
    assert rendered == {"base.txt", "named.txt", "src", "src/pkg", "src/pkg/plain.py"}
    assert (project / "src/pkg/plain.py").read_text() == "{{ untouched }}"
    assert (project / "named.txt").read_text() == "pkg"


@pytest.mark.parametrize("answers", SOME, ids=family.identify)
def test_a_project_holds_just_what_its_overlays_hold(
    template: Path, tmp_path: Path, answers: family.Answers
) -> None:
    project = family.render(template, tmp_path, answers)
    rendered = {p.relative_to(project).as_posix() for p in project.rglob("*") if p.is_file()}
    names = {
        "{{ package_name }}": family.NAME,
        "{{ _copier_conf.answers_file }}": ".copier-answers.yml",
    }
    assert rendered == {
        "/".join(names.get(part, part) for part in target.split("/")) for target in targets(answers)
    }


@pytest.mark.parametrize("answers", family.styles(), ids=family.identify)
def test_no_two_active_overlays_render_the_same_file(answers: family.Answers) -> None:
    assert len(targets(answers)) >= 12, "overlays are not found"


def test_two_overlays_with_one_target_are_caught(tmp_path: Path) -> None:
    for overlay in ("api", "asgi"):
        folder = tmp_path / f"{{{{ {overlay} }}}}" / "src"
        folder.mkdir(parents=True)
        (folder / ("twice.py" if overlay == "api" else "twice.py.jinja")).touch()
    with pytest.raises(AssertionError, match="render the same file"):
        targets(family.styles()[0], tmp_path)


def targets(answers: family.Answers, tree: Path = TREE) -> dict[str, str]:
    """The files of a project, and the file of the template that each is made of; none is made of two."""
    on = family.overlays(answers)
    found: dict[str, str] = {}
    for path in sorted(tree.rglob("*")):
        parts = path.relative_to(tree).parts
        overlay = re.fullmatch(r"\{\{ (\w+) \}\}", parts[0])
        if path.is_dir() or "__pycache__" in parts or (overlay and overlay[1] not in on):
            continue
        target = str(PurePosixPath(*parts[1 if overlay else 0 :])).removesuffix(".jinja")
        assert target not in found, f"{path} and {found[target]} render the same file"
        found[target] = str(path)
    return found


def test_every_overlay_has_a_question_and_every_style_an_overlay() -> None:
    folders = {
        match[1]
        for path in TREE.iterdir()
        if (match := re.fullmatch(r"\{\{ (\w+) \}\}", path.name))
    }
    computed = {
        name for name, question in family.questions().items() if question.get("when") is False
    }
    assert folders <= computed
    choices = {*family.questions()["style"]["choices"].values()}
    choices |= {*family.questions()["server_app"]["choices"].values()}
    choices |= {*family.questions()["task"]["choices"].values()} - {"generate"}
    assert choices <= folders
    assert {path.stem for path in (family.ROOT / "styles").glob("*.yml")} == choices - {"server"}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_names_are_legal_everywhere(part: str) -> None:
    assert "{%" not in part, "a condition in a name belongs into an overlay"
    assert not re.search(r'[<>:"|?*\\]', part), "not legal on Windows"
    assert part.split(".")[0].lower() not in WINDOWS_RESERVED
    assert not part.endswith((" ", "."))


def test_paths_are_short_enough_for_windows() -> None:
    longest = max((str(path.relative_to(TREE)) for path in TREE.rglob("*")), key=len)
    assert len(longest) <= 120, longest


def test_a_plain_copy_needs_no_trust() -> None:
    assert not {"_tasks", "_jinja_extensions"} & set(family.settings())
