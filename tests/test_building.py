"""docs/building.md adds a style in ten steps. Whoever does what stands there, word by word, has one that is proved."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import family

PAGE = family.ROOT / "docs/building.md"
STYLE = "starlette"
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.+?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`((?:styles|template)/[^`]*\.[^`]*)`")
FILES, HUNKS = 6, 4


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template with the page's style in it."""
    copy = family.export(tmp_path_factory.mktemp("building") / "modal-endpoints")
    written, changed = follow(PAGE.read_text(), copy)
    assert (written, changed) == (FILES, HUNKS), "the page has other steps now"
    subprocess.run(["git", "init", "--quiet", str(copy)], check=True)
    return copy


def follow(page: str, copy: Path) -> tuple[int, int]:
    """Write each file and apply each change that the page shows; return how many of both."""
    steps = page.partition("## A style in ten steps")[2]
    written = changed = 0
    names: list[str] = []
    end = 0
    for block in BLOCK.finditer(steps):
        names += NAMED.findall(steps[end : block.start()])
        end = block.end()
        if block["kind"] == "diff":
            changed += sum(
                apply(part, copy)
                for part in re.split(r"^--- .*\n", block["text"], flags=re.MULTILINE)
                if part
            )
        else:
            assert names, f"no file is named for:\n{block['text']}"
            file = copy / names.pop(0)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["text"])
            written += 1
    assert not names, f"nothing stands for {names}"
    return written, changed


def apply(change: str, copy: Path) -> int:
    """Apply the hunks of one file: what they show must stand there once."""
    name, *hunks = re.split(r"^@@.*\n", change, flags=re.MULTILINE)
    file = copy / name.removeprefix("+++ b/").strip()
    text = file.read_text()
    for hunk in hunks:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] or "\n" for line in lines if line[0] != "+")
        new = "".join(line[1:] or "\n" for line in lines if line[0] != "-")
        assert text.count(old) == 1, f"{file.name} holds {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    file.write_text(text)
    return len(hunks)


def test_its_projects_are_proved(extended: Path) -> None:
    run = prove(extended, "pytest", "tests/test_project.py", f"--style={STYLE}", "-k", "proxy")
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert int(re.findall(r"(\d+) passed", run.stdout)[-1]) >= 3, run.stdout


def test_its_answers_are_proved(extended: Path) -> None:
    run = prove(extended, "pytest", "tests/test_questions.py", "-k", STYLE)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert int(re.findall(r"(\d+) passed", run.stdout)[-1]) >= 2, run.stdout


def prove(copy: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments, "-p", "no:cacheprovider"],
        cwd=copy,
        env={**os.environ, "PYTEST_ADDOPTS": "", "SLICE": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '     "django     Django application (WSGI)": django\n',
            "     nothing like it\n",
            "copier.yml holds 0 times",
        ),
        ("`styles/starlette.yml`", "a file of styles", "no file is named"),
        (
            "`template/{{ starlette }}/tests/test_web.py.jinja`",
            "`styles/a.yml` and `styles/b.yml`",
            "nothing stands for",
        ),
    ],
    ids=["a change that fits nowhere", "no name of a file", "a name and no file"],
)
def test_a_page_that_nobody_can_follow_is_noticed(
    template: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    copy = Path(shutil.copytree(template, tmp_path / "modal-endpoints"))
    with pytest.raises(AssertionError, match=said):
        follow(replaced(old, new), copy)


def test_a_starter_that_answers_something_else_is_noticed(template: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(template, tmp_path / "modal-endpoints"))
    answer = 'return JSONResponse({"message": "Hello, World!"})'
    follow(replaced(answer, "return JSONResponse({})"), copy)
    project = family.render(copy, tmp_path, {"style": STYLE, "auth": "proxy"})
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_handlers.py"],
        cwd=project,
        env={**os.environ, **family.OWN_PLUGINS, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FAILED tests/test_handlers.py::test_hello - " in run.stdout, run.stdout


def replaced(old: str, new: str) -> str:
    page = PAGE.read_text()
    assert page.count(old) == 1
    return page.replace(old, new)
