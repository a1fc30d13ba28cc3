"""README.md and the rendered READMEs name only what exists."""

import re
import runpy
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from modal.cli.entry_point import entrypoint_cli

import family

SESSIONS = set(
    re.findall(r"^def (\w+)\(session", (family.ROOT / "noxfile.py").read_text(), re.MULTILINE)
)


def test_sessions_questions_and_styles_are_real() -> None:
    text = (family.ROOT / "README.md").read_text()
    sessions = set(re.findall(r"nox -s (\w+)", text)) | set(
        re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    )
    assert len(sessions) >= 5
    assert {f"{name}_" if name == "try" else name for name in sessions} <= SESSIONS
    given = set(re.findall(r"--data (\w+)=|(?<=[ `])(\w+)=\w", text))
    names = {name for pair in given for name in pair if name}
    assert len(names) >= 4
    assert names <= set(family.questions())
    styles = set(family.questions()["style"]["choices"].values())
    assert styles == {*re.findall(r"`(\w+)`", text)} & styles


def test_the_table_of_proofs_names_those_that_run_each_time() -> None:
    nox = runpy.run_path(str(family.ROOT / "noxfile.py"))
    _, _, section = README.partition("## Prove it")
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert len(nox["PROOFS"]) >= 10
    assert sorted(named) == sorted([*nox["nox"].options.sessions, *nox["PROOFS"]])


def test_the_first_command_is_what_ci_runs() -> None:
    proof = (family.ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert proof in (family.ROOT / "README.md").read_text()


README = (family.ROOT / "README.md").read_text()


def test_every_picture_is_there_and_small() -> None:
    check_pictures(README, family.ROOT)


def check_pictures(text: str, root: Path) -> None:
    shown = set(re.findall(r"!\[[^]]+\]\(([^)]+)\)", text))
    taken = {f"docs/images/{path.name}" for path in (root / "docs/images").iterdir()}
    assert len(shown) >= 5
    assert shown == taken, "README and docs/images differ"
    for name in sorted(shown):
        picture = (root / name).read_bytes()
        assert picture.startswith(b"\x89PNG"), name
        assert len(picture) <= 150_000, f"{name} has {len(picture)} bytes"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "differ"), (b"\x89PNG" + bytes(150_000), "bytes"), (b"GIF89a", "docs/images/api.png")],
    ids=["a picture less", "a large one", "one of another kind"],
)
def test_a_wrong_picture_is_noticed(tmp_path: Path, content: bytes | None, said: str) -> None:
    shutil.copytree(family.ROOT / "docs/images", tmp_path / "docs/images")
    picture = tmp_path / "docs/images/api.png"
    picture.write_bytes(content) if content else picture.unlink()
    with pytest.raises(AssertionError, match=said):
        check_pictures(README, tmp_path)
    with pytest.raises(AssertionError, match="differ"):
        check_pictures(README.replace("docs/images/api.png", "docs/images/gone.png"), family.ROOT)


def test_the_changelog_names_a_release() -> None:
    assert re.search(
        r"^## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$",
        (family.ROOT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )


def test_rendered_readmes_name_real_questions() -> None:
    text = (family.ROOT / "template" / "README.md.jinja").read_text()
    names = set(re.findall(r"--data (\w+)=", text))
    assert names
    assert names <= set(family.questions())


def test_every_modal_command_that_a_project_documents_exists(
    template: Path, tmp_path: Path
) -> None:
    """Asked of the installed client: `modal … --help` knows the command and each of its options."""
    documented: dict[str, set[str]] = {}
    for number, answers in enumerate(family.styles()):
        project = family.render(template, tmp_path / str(number), answers)
        text = (project / "README.md").read_text() + (project / "AGENTS.md").read_text()
        for words in re.findall(r"(?<=[`\s])modal ((?:[\w-]+ )*[\w-]+)([^`\n#]*)", text):
            command = " ".join(words[0].split()[: 3 if words[0].startswith("workspace") else 2])
            name = (
                command.split()[0] if command.split()[0] in {"serve", "deploy", "run"} else command
            )
            documented.setdefault(name, set()).update(
                re.findall(r" (--?[a-z]+)\b", " ".join(words))
            )
    assert len(documented) >= 7, documented
    for command, options in documented.items():
        help_ = CliRunner().invoke(
            entrypoint_cli, [*command.split(), "--help"], env={"COLUMNS": "200"}
        )
        assert help_.exit_code == 0, f"modal {command}: {help_.output}"
        assert not {option for option in options if option not in help_.output}, f"modal {command}"
