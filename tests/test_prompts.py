"""What somebody sees who runs Copier by hand: questions in their order and words, refusals, and what to do next."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import family
import fast_copier
import slices
from terminal import ASKS, DOWN, ENTER, ERASE, INTERRUPT, Terminal, terminal

KINDS = family.kinds()
STYLES = list(family.questions()["style"]["choices"].values())
APPS = list(family.questions()["server_app"]["choices"].values())
TASKS = list(family.questions()["task"]["choices"].values())


@pytest.fixture
def session(template: Path, tmp_path: Path) -> Iterator[Terminal]:
    with copying(template, tmp_path) as run:
        yield run


def copying(template: Path, folder: Path) -> AbstractContextManager[Terminal]:
    return terminal(f"{fast_copier.COMMAND} copy {template} {family.NAME}", folder, os.environ)


def questions(printed: str) -> list[str]:
    """Each question once, in the words in which it was asked."""
    asked = [part.partition("\n")[0].strip() for part in printed.split(ASKS)[1:]]
    assert asked[::2] == asked[1::2], (
        "a question is shown as it is asked, and again as it is answered"
    )
    return asked[::2]


def worded(name: str) -> str:
    return str(family.questions()[name]["help"]).strip()


@pytest.mark.parametrize("kind", slices.taken(KINDS))
def test_questions_come_in_their_order_and_words(template: Path, tmp_path: Path, kind: str) -> None:
    check_dialogue(template, tmp_path, kind, KINDS[kind])
    assert (tmp_path / family.NAME / "README.md").exists()


def check_dialogue(template: Path, folder: Path, kind: str, answers: family.Answers) -> None:
    """What is asked, in which words and order, and what is said in the end."""
    keys = {"style": DOWN * STYLES.index(answers["style"]) + ENTER}
    if kind in APPS:
        keys["server_app"] = DOWN * APPS.index(kind) + ENTER
    if kind in TASKS:
        keys["task"] = DOWN * TASKS.index(kind) + ENTER
    expected = family.asked(answers)
    with copying(template, folder) as session:
        for name in expected:
            assert session.settle(), session.printed
            session.type(keys.get(name, ENTER))
        assert not session.settle(), f"one question more: {session.printed[-500:]}"
        assert session.process.returncode == 0, session.printed[-2000:]
    assert questions(session.printed) == [worded(name) for name in expected]
    said = session.printed.rpartition("Your project is in ")[2]
    assert next_commands(said) == [
        f"cd {family.NAME}",
        "git init && uv sync",
        "uv run pytest",
        f"uv run {family.NAME}",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "copier.yml",
            "Do you want to go through the names",
            "Shall we go through the names",
            "Shall we",
        ),
        (
            "copier.yml",
            '"{{ facts.model is defined }}"',
            "\"{{ style != 'server' }}\"",
            "one question more",
        ),
        (
            "includes/message_after_copy.txt",
            "  uv run pytest\n",
            "  uv run pytest\n  uv run modal deploy\n",
            "modal deploy",
        ),
    ],
    ids=["other words", "a question of another style", "one command more"],
)
def test_another_dialogue_is_noticed(
    template: Path, tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    changed = tmp_path / "template"
    shutil.copytree(template, changed)
    text = (changed / file).read_text()
    assert old in text
    (changed / file).write_text(text.replace(old, new))
    with pytest.raises(AssertionError, match=said):
        check_dialogue(changed, tmp_path, "api", KINDS["api"])


def test_the_next_commands_work_in_any_folder(template: Path, tmp_path: Path) -> None:
    check_any_folder(template, tmp_path)


def test_a_folder_that_a_shell_takes_apart_is_noticed(template: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(template, tmp_path / "template")
    message = changed / "includes/message_after_copy.txt"
    assert " | quote" in message.read_text()
    message.write_text(message.read_text().replace(" | quote", ""))
    with pytest.raises(AssertionError, match="it's my api"):
        check_any_folder(changed, tmp_path)


def check_any_folder(template: Path, place: Path) -> None:
    folder = "it's my api"
    with terminal(
        f"{fast_copier.COMMAND} copy {template} {shlex.quote(folder)}", place, os.environ
    ) as run:
        while run.settle():
            run.type(ENTER)
    first, *_ = next_commands(run.printed.rpartition("Your project is in ")[2])
    entered = subprocess.run(
        ["bash", "-c", f"{first} && ls"], cwd=place, capture_output=True, text=True, check=False
    )
    assert "pyproject.toml" in entered.stdout, f"{first}: {entered.stderr}"


def next_commands(text: str) -> list[str]:
    lines = re.findall(r"^  (\S.*)$", text, re.MULTILINE)
    return [line.partition("  #")[0].strip() for line in lines]


def test_a_refusal_stands_there_until_the_answer_is_another(session: Terminal) -> None:
    session.settle()
    session.type(ENTER)
    session.settle()
    session.type(ERASE + "!!!" + ENTER)
    session.expect('"!!!" is not a project name: use 1 to 64 letters')
    assert questions(session.printed + f"{ASKS} {worded('project_name')}\n") == [
        worded("style"),
        worded("project_name"),
    ], "no other question comes before it is answered"
    session.type(ERASE + "Fine" + ENTER)
    while session.settle():
        session.type(ENTER)
    assert session.process.returncode == 0, session.printed[-1500:]
    assert "uv run fine" in session.printed


@pytest.mark.parametrize("after", [0, 1, 3])
def test_who_leaves_leaves_nothing_behind(session: Terminal, tmp_path: Path, after: int) -> None:
    for _ in range(after):
        session.settle()
        session.type(ENTER)
    session.settle()
    session.type(INTERRUPT)
    assert not session.settle()
    assert session.process.returncode not in (0, None)
    assert "Traceback" not in session.printed, session.printed[-1500:]
    assert not (tmp_path / family.NAME).exists()
