"""The files that editors read in a rendered project: what they say is true of it. Raises AssertionError if not."""

import fnmatch
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

# Of https://github.com/devcontainers/spec/blob/main/schemas/devContainer.base.schema.json, what a project may use.
DEVCONTAINER = {
    "image": str,
    "features": dict,
    "containerEnv": dict,
    "forwardPorts": list,
    "postCreateCommand": str,
    "customizations": dict,
}
# Of https://github.com/devcontainers/images/blob/main/src/python/manifest.json
IMAGES = {f"mcr.microsoft.com/devcontainers/python:3.{minor}-trixie" for minor in range(10, 15)}
Rules = Mapping[str, Mapping[str, str]]  # pattern of a file's name -> settings


def check(project: Path, python_version: str) -> None:
    """All of them, in one project."""
    rules = read_rules((project / ".editorconfig").read_text())
    files = [path for path in project.rglob("*") if path.is_file()]
    assert len(files) >= 20, "this proves nothing"
    for path in files:
        check_against(rules, path.relative_to(project).as_posix(), path.read_bytes())
    ruff = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["ruff"]
    assert settings_of("x.py", rules)["max_line_length"] == str(ruff["line-length"]), "not ruff's"
    check_devcontainer(project, python_version)


def read_rules(text: str) -> Rules:
    """The sections of an .editorconfig file, in their order."""
    head, *sections = re.split(r"^\[(.+)\]$", text, flags=re.MULTILINE)
    assert re.search("^root = true$", head, re.MULTILINE), ".editorconfig: not the root"
    return {
        pattern: dict(re.findall(r"^(\w+) = (\S+)$", lines, re.MULTILINE))
        for pattern, lines in zip(sections[::2], sections[1::2], strict=True)
    }


def settings_of(path: str, rules: Rules) -> dict[str, str]:
    """What holds for a file: a later section wins."""
    found: dict[str, str] = {}
    for pattern, settings in rules.items():
        before, names, after = re.fullmatch(r"([^{]*)\{?([^}]*)\}?(.*)", pattern).groups()  # type: ignore[union-attr]
        if any(
            fnmatch.fnmatch(Path(path).name, before + name + after) for name in names.split(",")
        ):
            found |= settings
    return found


def check_against(rules: Rules, path: str, content: bytes) -> None:
    """A file is as an editor with these rules would leave it."""
    settings = settings_of(path, rules)
    assert settings["charset"] == "utf-8", path
    assert settings["end_of_line"] == "lf", path
    text, final = content.decode(), settings["insert_final_newline"] == "true"
    assert "\r" not in text, f"{path}: line endings"
    assert not text or text.endswith("\n") == final, f"{path}: final newline"
    for number, line in enumerate(text.splitlines(), start=1):
        indent = line[: len(line) - len(line.lstrip())]
        where = f"{path}:{number}"
        trimmed = settings["trim_trailing_whitespace"] == "true"
        assert not trimmed or line == line.rstrip(), f"{where}: blanks at the end"
        assert settings["indent_style"] == "space", where
        assert "\t" not in indent, f"{where}: a tab in the indentation"
        if (size := settings["indent_size"]) != "unset":
            assert not len(indent) % int(size), f"{where}: not indented by {size}"


def check_devcontainer(project: Path, python_version: str) -> None:
    """Its keys are in the schema, its image exists, its commands are README's, its extensions are the editor's."""
    settings = json.loads((project / ".devcontainer/devcontainer.json").read_text())
    for key, value in settings.items():
        assert key in DEVCONTAINER, f"devcontainer.json: no such key: {key}"
        assert isinstance(value, DEVCONTAINER[key]), f"devcontainer.json: {key} is {value!r}"
    assert settings["image"] in IMAGES, f"devcontainer.json: no such image: {settings['image']}"
    assert f":{python_version}-" in settings["image"], "devcontainer.json: another Python"
    _, *commands = settings["postCreateCommand"].split(" && ")
    readme = (project / "README.md").read_text()
    for command in commands:
        assert re.search(f"^{re.escape(command)}( |$)", readme, re.MULTILINE), command
    recommended = json.loads((project / ".vscode/extensions.json").read_text())["recommendations"]
    assert settings["customizations"]["vscode"]["extensions"] == recommended
    chosen = json.loads((project / ".vscode/settings.json").read_text())
    needed = {chosen["[python]"]["editor.defaultFormatter"], "ms-python.mypy-type-checker"}
    assert needed <= set(recommended), "settings for an extension that is not recommended"
