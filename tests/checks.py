"""What must hold for every rendered project. Each check raises AssertionError with one clear sentence."""

import ast
import gc
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
import traceback
import warnings
from collections.abc import Iterable
from pathlib import Path

import toml
import yaml

JINJA = re.compile(rb"(?<!\$)\{\{|\{%|\{#")  # a workflow's own expressions are ${{ … }}
# What projects import, so that each fork finds it loaded.
WARM = (
    "modal",
    "django.core.wsgi",
    "fastapi.middleware.cors",
    "flask",
    "mcp.server",
    "pydantic_settings",
    "pydantic.v1",
)
HEAVY = {"torch", "transformers", "gradio", "streamlit", "numpy", "pandas"}


def check_file(path: str, content: bytes) -> None:
    """One file by itself: its text is tidy and it parses as what its name says.

    Args:
        path: relative to the project, with forward slashes.
        content: the bytes as rendered.
    """
    check_text(path, content)
    check_syntax(path, content.decode())


def check_text(path: str, content: bytes) -> None:
    if not content:  # __init__.py, py.typed
        return
    assert b"\r" not in content, f"{path}: line endings are not LF"
    assert not JINJA.search(content), f"{path}: Jinja is left in it: {JINJA.search(content)}"
    assert content.endswith(b"\n"), f"{path}: does not end in a newline"
    assert not content.endswith(b"\n\n"), f"{path}: ends in blank lines"
    assert not content.startswith(b"\n"), f"{path}: begins with a blank line"
    for number, line in enumerate(content.split(b"\n"), start=1):
        assert line == line.rstrip(), f"{path}:{number}: blanks at the end of the line"
    if not path.endswith(".py"):  # there the formatter decides
        assert b"\n\n\n" not in content, f"{path}: two blank lines in a row"


def check_syntax(path: str, text: str) -> None:
    try:
        match Path(path).suffix:
            case ".py":
                with warnings.catch_warnings(action="error"):
                    ast.parse(text, path)
            case ".toml":
                # Modal reads pyproject.toml with the old toml package, which knows less than TOML 1.0.
                assert toml.loads(text) == tomllib.loads(text), "toml and tomllib disagree"
            case ".yml" | ".yaml":
                yaml.safe_load(text)
            case ".json":
                json.loads(text)
            case ".md":
                check_markdown(text)
    except Exception as error:
        raise AssertionError(f"{path}: {type(error).__name__}: {error}") from error


def check_markdown(text: str) -> None:
    """Fences are closed, and headings and fences stand between blank lines."""
    lines = text.splitlines()
    inside = False
    for number, line in enumerate(lines, start=1):
        if line.startswith("```"):
            inside = not inside
            outer = lines[number - 2] if inside else lines[number] if number < len(lines) else ""
            assert not outer, f"line {number}: no blank line beside the fence"
        elif line.startswith("#") and not inside and number > 1:
            assert not lines[number - 2], f"line {number}: no blank line above the heading"
            assert not lines[number], f"line {number}: no blank line below the heading"
    assert not inside, "a fence is not closed"


def check_style(folder: Path) -> None:
    """Ruff, with each project's own configuration, over all projects below `folder`."""
    for command in (
        ["check", "--quiet", "--output-format=concise"],
        ["format", "--check", "--diff"],
    ):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"ruff {command[0]}:\n{run.stdout[-4000:]}{run.stderr[-2000:]}"


def check_imports(projects: Iterable[tuple[Path, str]]) -> None:
    """Import each `package`.modal_app with every warning an error, in a fork of this warm process.

    Nothing heavy may come with it: a container pays for it before it can answer.

    Args:
        projects: folder of a rendered project, and the name of its package.
    """
    for name in WARM:
        importlib.import_module(name)
    gc.freeze()  # what is collected is copied, in each fork anew
    assert not HEAVY & set(sys.modules), "this process has imported what a project must not import"
    for project, package in projects:
        reader, writer = os.pipe()
        if not (child := os.fork()):
            os.close(reader)
            problem = _import_problem(project, package)
            os.write(writer, problem.encode()[-4000:])
            os._exit(bool(problem))
        os.close(writer)
        with os.fdopen(reader) as output:
            problem = output.read()
        os.waitpid(child, 0)
        assert not problem, f"{package}.modal_app does not import:\n{problem}"


def _import_problem(project: Path, package: str) -> str:
    sys.path.insert(0, str(project / "src"))
    os.chdir(project)
    warnings.simplefilter("error")
    try:
        __import__(f"{package}.modal_app")
    except BaseException:  # noqa: BLE001  (the parent reports it)
        return traceback.format_exc()
    heavy = sorted(HEAVY & set(sys.modules))
    return f"it imports {', '.join(heavy)} at module level" if heavy else ""
