"""Broken templates, one for each claim. A check that lets its mutant pass checks nothing."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import checks
import family
import matrix
import slices

WEB = "template/{{ api }}/src/{{ package_name }}/web.py.jinja"
HANDLERS = "template/{{ api }}/src/{{ package_name }}/handlers.py"
MODAL_APP = "includes/modal_app_asgi.py.jinja"
LIMITS = "includes/limits.py.jinja"
README = "includes/readme/run.md"
PYPROJECT = "template/pyproject.toml.jinja"
WORKFLOW = "template/{{ github }}/.github/workflows/ci.yml"

# What is broken: (file, text in it, text instead, what the checks say)
MUTANTS = {
    "blanks at a line's end": (README, "## Run it here", "## Run it here  ", "blanks at the end"),
    "stray blank lines": (README, "Needs [uv]", "\n\nNeeds [uv]", "two blank lines in a row"),
    "an open fence": (README, "```bash\nuv sync\n", "uv sync\n", "blank line|not closed"),
    "no final newline": (
        "template/.gitattributes",
        "uv.lock linguist-generated\n",
        "uv.lock linguist-generated",
        "does not end in a newline",
    ),
    "Windows line endings": (HANDLERS, "\n", "\r\n", "line endings are not LF"),
    "Jinja left over": (HANDLERS, "ITEMS = {1", "ITEMS: '{{ x }}' = {1", "Jinja is left"),
    "an undefined variable": (PYPROJECT, "{{ project_slug }}", "{{ slug }}", "'slug' is undefined"),
    "TOML that does not parse": (
        PYPROJECT,
        'version = "0.1.0"',
        "version = 0.1.0",
        "pyproject.toml",
    ),
    "TOML that Modal cannot read": (
        PYPROJECT,
        "[build-system]",
        'mixed = ["a", 1]\n\n[build-system]',
        "pyproject.toml",
    ),
    "YAML that does not parse": (WORKFLOW, "jobs:", "jobs: [", "ci.yml"),
    "Python that does not parse": (HANDLERS, "ITEMS = {1", "ITEMS = = {1", "handlers.py"),
    "an invalid escape": (HANDLERS, '"first item"', r'"first\d item"', "handlers.py"),
    "an unused import": (HANDLERS, "from typing", "import os\nfrom typing", "F401"),
    "other formatting": (HANDLERS, "router = APIRouter()", "router=APIRouter( )", "ruff format"),
    "a renamed keyword": (LIMITS, "max_containers=", "concurrency_limit=", "max_containers"),
    "a keyword that never was": (LIMITS, "memory=", "ram=", "ram"),
    "an async factory": (MODAL_APP, "def web()", "async def web()", "InvalidError"),
    "a factory with parameters": (MODAL_APP, "def web()", "def web(x: int = 1)", "InvalidError"),
    "a warning at import": (
        HANDLERS,
        "router = APIRouter()",
        'import warnings\nwarnings.warn("old", DeprecationWarning, stacklevel=1)\nrouter = APIRouter()',
        "DeprecationWarning|E402|ruff",
    ),
    "a missing module": (MODAL_APP, "from .web import", "from .wep import", "wep|ruff"),
    "a heavy import": (WEB, "from fastapi import", "import numpy\nfrom fastapi import", "numpy"),
    "a render that depends on chance": (
        README,
        "## Run it here",
        "## Run it {{ range(99999) | random }}",
        "different bytes",
    ),
    "an answer that is not recorded": (
        "template/{{ _copier_conf.answers_file }}.jinja",
        "combine(_copier_answers, {",
        "combine(_copier_answers, {'auth': 'none', ",
        "not recorded",
    ),
}


def proof(template: Path, folder: Path) -> None:
    """What the matrix does, on one combination: api with bearer."""
    answers = next(a for a in family.styles() if (a["style"], a["auth"]) == ("api", "bearer"))
    store = matrix.Store(folder / "store")
    store.folder.mkdir(parents=True)
    tree = matrix.render((template, store.folder, answers, 2))
    for path, digest in tree.items():
        checks.check_file(path, store.read(digest))
    project = store.put(tree, folder / "project")
    failures = []
    for check in (
        partial(checks.check_style, project),
        partial(checks.check_imports, [(project, family.NAME)]),
    ):
        try:
            check()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


def test_the_template_as_it_is_passes(template: Path, tmp_path: Path) -> None:
    proof(template, tmp_path)


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_mutant_is_caught(template: Path, tmp_path: Path, name: str) -> None:
    file, text, instead, message = MUTANTS[name]
    mutant = tmp_path / "template"
    shutil.copytree(template, mutant)
    content = (mutant / file).read_bytes().decode()
    assert text in content, f"the mutant does not change {file}"
    (mutant / file).write_bytes(content.replace(text, instead).encode())
    with pytest.raises(Exception, match=re.compile(message)):
        proof(mutant, tmp_path)


BROKEN_FILES: dict[str, Callable[[], None]] = {
    "JSON": lambda: checks.check_file("x.json", b"{\n"),
    "a heading without room": lambda: checks.check_file("x.md", b"# a\n\ntext\n## b\n\ntext\n"),
    "blank lines at the end": lambda: checks.check_file("x.txt", b"text\n\n"),
    "blank lines at the start": lambda: checks.check_file("x.txt", b"\ntext\n"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_each_broken_file_is_caught(name: str) -> None:
    with pytest.raises(AssertionError):
        BROKEN_FILES[name]()


def test_what_is_kept_is_of_the_same_template(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "KEPT", tmp_path / "kept")
    store, copy = matrix.Store(tmp_path / "store"), tmp_path / "template"
    store.folder.mkdir()
    shutil.copytree(template, copy)
    answers = {"style": "simple"}
    tree = matrix.render((copy, store.folder, answers, 1))
    matrix.keep(copy, store, [answers], [tree])
    shutil.rmtree(store.folder)
    assert matrix.kept(copy, store) == [(answers, tree)]
    assert store.read(tree["README.md"]).startswith(b"# ")
    file = copy / "template/README.md.jinja"
    file.write_text(file.read_text() + "\n")
    assert not matrix.kept(copy, store)
