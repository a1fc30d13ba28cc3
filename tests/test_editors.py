"""Editors are told what is true of a project, and each broken file is caught."""

import re
from pathlib import Path

import pytest

import editors
import family
import slices

# What is broken: (file, text in it, text instead, what the check says)
MUTANTS = {
    "a tab": ("src/myapi/web.py", "    app", "\tapp", "a tab in the indentation"),
    "another indentation": ("pyproject.toml", '    "', '   "', "not indented by 4"),
    "blanks at a line's end": ("LICENSE", "\n", " \n", "blanks at the end"),
    "no final newline": (".gitattributes", "generated\n", "generated", "final newline"),
    "Windows line endings": ("AGENTS.md", "\n", "\r\n", "line endings"),
    "rules that do not fit": (".editorconfig", "indent_size = 2", "indent_size = 4", "not indented by 4"),
    "another line length": (".editorconfig", "= 100", "= 88", "not ruff's"),
    "another line length of ruff": ("pyproject.toml", "line-length = 100", "line-length = 88", "not ruff's"),
    "a key that is none": (".devcontainer/devcontainer.json", "forwardPorts", "forwardPort", "no such key"),
    "a value that is none": (".devcontainer/devcontainer.json", "[8000]", "8000", "forwardPorts is 8000"),
    "an image that is none": (".devcontainer/devcontainer.json", "-trixie", "-sid", "no such image"),
    "another Python": (".devcontainer/devcontainer.json", ":3.13", ":3.12", "another Python"),
    "a command that README lacks": (".devcontainer/devcontainer.json", "uv sync", "uv synch", "uv synch"),
    "an extension too few": (".vscode/extensions.json", '"charliermarsh.ruff",', "", "recommend|extensions"),
    "a formatter that is not there": (".vscode/settings.json", "charliermarsh.ruff", "ms-python.black", "not recommended"),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family.render(template, tmp_path_factory.mktemp("editors"), {"style": "api"})


@pytest.mark.parametrize("answers", family.kinds().values(), ids=family.kinds())
def test_what_editors_are_told_is_true(
    template: Path, tmp_path: Path, answers: family.Answers
) -> None:
    newest = family.offered("python_version", answers)[-1]
    given = answers | {"license": "apache-2.0", "tune": True, "python_version": newest}
    editors.check(family.render(template, tmp_path, given), newest)


def test_every_python_that_is_offered_has_an_image() -> None:
    offered = family.questions()["python_version"]["choices"]
    assert {f"mcr.microsoft.com/devcontainers/python:{v}-trixie" for v in offered} <= editors.IMAGES


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_mutant_is_caught(project: Path, name: str) -> None:
    file, text, instead, message = MUTANTS[name]
    path = project / file
    content = path.read_bytes()
    assert text.encode() in content, f"the mutant does not change {file}"
    editors.check(project, "3.13")
    try:
        path.write_bytes(content.replace(text.encode(), instead.encode()))
        with pytest.raises(AssertionError, match=re.compile(message)):
            editors.check(project, "3.13")
    finally:
        path.write_bytes(content)
