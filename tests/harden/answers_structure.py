"""The structure of a rendered file, apart from the texts in it: an answer may change the texts, and nothing else."""

import ast
import io
import json
import re
import shlex
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any

import yaml

import checks
from harden.answers_values import MARKDOWN

# Free text has one place in code, a literal of its own, and none in a command.
FREE = ("project_name", "description", "user_name", "server_command")
SHELL = ("bash", "sh", "shell", "console")


@dataclass(frozen=True)
class Structure:
    """A file, parsed.

    Attributes:
        bones: all that must be the same whatever somebody answers.
        texts: what may hold an answer, in order.
        shell: commands that a reader copies, and code.
    """

    bones: str
    texts: tuple[str, ...]
    shell: tuple[str, ...] = ()


def structure(path: str, content: str) -> Structure:
    """What the parser for this kind of file sees.

    Raises:
        ValueError: when it does not parse.
    """
    try:
        match PurePosixPath(path).suffix:
            case ".py":
                return python(content)
            case ".toml":
                checks.check_syntax(path, content)  # Modal's reader of TOML too
                return data(tomllib.loads(content))
            case ".yml" if path.startswith(".copier-answers"):
                return data(yaml.safe_load(content))
            case ".yml" | ".yaml" | ".sh":
                return Structure(
                    content, ()
                )  # no answer but a choice has a place in it: byte for byte
            case ".md":
                return markdown(content)
            case ".html":
                return html(content)
    except Exception as error:
        raise ValueError(f"does not parse: {type(error).__name__}: {error}") from error
    lines = content.split("\n")
    return Structure(str(len(lines)), tuple(lines))


def differences(
    path: str, tame: Structure, wild: Structure, marker: str, value: str
) -> Iterator[str]:
    """What a hostile answer changed.

    Args:
        path: of the file.
        tame: the file as a harmless answer leaves it.
        wild: the same with the hostile answer.
        marker: the harmless answer, which stands nowhere else in a project.
        value: the hostile one.
    """
    # The name of a package is in every import.
    bones = tame.bones.replace(marker, value) if marker.isidentifier() else tame.bones
    if bones != wild.bones:
        at = next((i for i, (a, b) in enumerate(zip(bones, wild.bones, strict=False)) if a != b), 0)
        yield f"{path}: another structure: …{wild.bones[max(0, at - 30) : at + 60]!r}"
    for place, (before, after) in enumerate(zip(tame.texts, wild.texts, strict=False)):
        if before.replace(marker, value) != after:
            yield f"{path}: text {place} reads {after[:80]!r}, not {before.replace(marker, value)[:80]!r}"
            return
    if len(tame.texts) != len(wild.texts):
        yield f"{path}: {len(wild.texts)} texts, not {len(tame.texts)}"
    for before, after in zip(tame.shell, wild.shell, strict=False):
        if [word.replace(marker, value) for word in words(before)] != words(after):
            yield f"{path}: a command of other words: {after[:80]!r}"


def misplaced(path: str, tame: Structure, marker: str) -> Iterator[str]:
    """Where free text stands that must not, as a harmless answer shows it."""
    for command in tame.shell:
        if marker in command:
            yield f"{path}: free text in a command: {command[:80]!r}"
    if path.endswith(".py"):
        for text in tame.texts:
            if marker in text and text != marker:
                yield f"{path}: free text in other text: {text[:80]!r}"
    if path.startswith(("tests/", ".github/", ".gitlab")) and marker in tame.bones + "".join(
        tame.texts
    ):
        yield f"{path}: free text has no place in it"


def words(command: str) -> list[str]:
    """As a shell splits it; where it cannot, the command as it is."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return [command]


def python(content: str) -> Structure:
    """Its syntax tree, its comments, and each string in it."""
    tree = ast.parse(content)
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
            node.value = ""
    tokens = tokenize.generate_tokens(io.StringIO(content).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return Structure(json.dumps([ast.dump(tree), comments]), tuple(texts))


def data(value: Any) -> Structure:
    """Keys and types, and each string."""
    texts: list[str] = []
    return Structure(repr(outline(value, texts)), tuple(texts))


def outline(value: Any, texts: list[str]) -> Any:
    if isinstance(value, dict):
        return [(outline(key, texts), outline(item, texts)) for key, item in value.items()]
    if isinstance(value, list):
        return [outline(item, texts) for item in value]
    if isinstance(value, str):
        texts.append(value)
        return "text"
    return value


def markdown(content: str) -> Structure:
    """Blocks and marks, the text in them, and the lines of code for a shell."""
    bones, texts, shell = [], [], []
    for token in MARKDOWN.parse(content):
        for part in [token, *(token.children or [])]:
            info = part.info if part.type == "fence" else ""
            bones.append((part.type, part.tag, part.nesting, info, sorted(part.attrs.items())))
            if part.type in (
                "text",
                "code_inline",
                "fence",
                "code_block",
                "html_block",
                "html_inline",
            ):
                texts.append(part.content)
            if part.type == "fence" and part.info in SHELL:
                shell += part.content.splitlines()
            if part.type == "code_inline" and re.match(r"(uv|uvx|git|modal|curl) ", part.content):
                shell.append(part.content)
    return Structure(json.dumps(bones), tuple(texts), tuple(shell))


def html(content: str) -> Structure:
    """Tags with their attributes and comments, and the text between them, that of scripts too."""
    page = Page()
    page.feed(content)
    page.close()
    return Structure(json.dumps(page.bones), tuple(page.texts))


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.bones: list[object] = []
        self.texts: list[str] = [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bones.append(("<", tag, attrs))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.bones.append((">", tag))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data  # it comes in pieces

    def handle_comment(self, data: str) -> None:
        self.bones.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.bones.append(("declaration", decl))

    def unknown_decl(self, data: str) -> None:
        self.bones.append(("declaration", data))

    def handle_pi(self, data: str) -> None:
        self.bones.append(("instruction", data))
