"""README.md and the rendered READMEs name only what exists."""

import re

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


def test_the_first_command_is_what_ci_runs() -> None:
    proof = (family.ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert proof in (family.ROOT / "README.md").read_text()


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
