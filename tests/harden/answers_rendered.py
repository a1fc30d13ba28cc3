"""One set of answers, given to Copier: refused in one sentence with nothing written, or a project that holds them."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import checks
import family
from harden import answers_values
from harden.answers_given import Given
from harden.answers_structure import FREE
from matrix import Store, Tree

# What is allowed, in the words of the refusal.
ALLOWED = {
    "project_name": r"use 1 to 64 letters \(of any script\), digits, spaces and",
    "project_slug": r"use 1 to 40 lower-case letters, digits and single dashes|choose another, for example",
    "package_name": r"use 1 to 40 lower-case letters, digits and underscores|choose another, for example",
    "description": r"has 1 to 300 characters|plain text",
    "user_name": r"has at most 100 characters, without < and >|plain text",
    "user_email": r"an address like name@example\.com",
    "custom_domain": r"a domain of yours like api\.example\.com: no scheme",
    "gpu": r"use none, or one or more, separated by commas, of T4|At most 8 kinds|needs a GPU: name one|take an L4|among 1, 2, 4 or 8 GPUs",
    "model_id": r"use owner/name as the hub shows it|take a version in 8 or 4 bit",
    "model_revision": r"use a branch, a tag or a commit hash",
    "server_command": r"has 1 to 500 characters|single quotes|put the rest into a script|plain text",
    "region": r"use us, eu, uk, ap, ca, sa, me, mx or af",
    "gpu_snapshot": r"take one GPU per container",
}
NUMBER = r"that Modal takes: use [\d.]+ to \d+\.$|must not be below \w+ \(\d+\)\.$"
CHOICE = r"is not in \['|allowed (are|for .+ are) "
# Copier's own words for what is no number at all; it does not say which question.
NO_NUMBER = "invalid literal for int|could not convert string to float|cannot convert float"
LONGEST = 1_000  # characters of a refusal, sixty of the answer among them, spelled out


@dataclass(frozen=True)
class Outcome:
    """What became of a set.

    Attributes:
        given: the set.
        refused: the question that refused it, or nothing.
        tree: what was rendered, or nothing.
        problems: a sentence for each thing that is wrong about it.
    """

    given: Given
    refused: str = ""
    tree: Tree = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The hash of what would be imported."""
        source = sorted(item for item in self.tree.items() if item[0].startswith("src/"))
        return hashlib.sha256(json.dumps(source).encode()).hexdigest()


Task = tuple[Path, Path, Given, bool]  # template, store, answers, whether the folder was there
_checked: dict[
    tuple[str, str], str
] = {}  # by this process: path and hash of a file, and what is wrong
_imported: dict[str, str] = {}


def attempt(task: Task) -> Outcome:
    """Give a set to Copier and look at what comes of it."""
    template, store, given, existing = task
    answers = given.answers
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, family.NAME)
        if existing:
            project.mkdir()
            (project / "kept.txt").write_text("mine\n")
        try:
            family.render(template, Path(folder), answers)
        except ValueError as refusal:
            return refused(given, str(refusal), Path(folder), existing)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not a refusal)
            problem = f"neither refused nor rendered: {type(error).__name__}: {str(error)[:300]}"
            return Outcome(given, problems=(problem,))
        (project / "kept.txt").unlink(missing_ok=True)
        try:
            problems = answers_values.problems(project, answers)
        except Exception as error:  # noqa: BLE001  (a file that does not parse is told below, by its name)
            problems = [f"its values cannot be read: {type(error).__name__}: {str(error)[:300]}"]
        tree = Store(store).take(project)
        problems += wrong_files(project, tree, answers)
        outcome = Outcome(given, tree=tree)
        problems += wrong_import(project, outcome.package, tree)
    return Outcome(given, tree=tree, problems=tuple(problems))


def refused(given: Given, message: str, folder: Path, existing: bool) -> Outcome:
    """Check the words of a refusal, and that nothing was written."""
    problems = []
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    if left != ([family.NAME, f"{family.NAME}/kept.txt"] if existing else []):
        problems.append(f"refused, and left behind: {left[:5]}")
    said = re.match(r"(?:Validation error for question|Invalid choice for) '(\w+)': ", message)
    name = said[1] if said else "no number"
    wanted = (
        ALLOWED.get(name, NUMBER) if said and message[0] == "V" else CHOICE if said else NO_NUMBER
    )
    if not re.search(wanted, message):
        problems.append(f"{name}: the refusal does not say what is allowed: {message[-200:]}")
    if not message.isprintable() or len(message) > LONGEST:
        problems.append(f"{name}: the refusal is not one sentence: {len(message)} characters")
    if given.fine:
        problems.append(f"{name}: what its help allows is refused: {message[-200:]}")
    return Outcome(given, refused=name, problems=tuple(problems))


def wrong_files(project: Path, tree: Tree, answers: family.Answers) -> Iterator[str]:
    """What is wrong with each file by itself; each is looked at once."""
    for path, digest in tree.items():
        if (path, digest) not in _checked:
            try:
                content = (project / path).read_bytes()
                checks.check_syntax(path, content.decode())
                # Of recorded answers every value is compared, so no Jinja can be left there.
                if path != ".copier-answers.yml":
                    checks.check_text(path, without_answers(content.decode(), answers).encode())
                _checked[path, digest] = ""
            except Exception as error:  # noqa: BLE001  (the row tells it)
                _checked[path, digest] = str(error)[:300]
        if problem := _checked[path, digest]:
            yield problem


def without_answers(text: str, answers: family.Answers) -> str:
    """The text without the Jinja that somebody gave as an answer, which must be in it."""
    for name in FREE:
        value = str(answers.get(name, ""))
        if checks.JINJA.search(value.encode()):
            for form in forms(value):
                text = text.replace(form, "…")
    return text


def forms(value: str) -> Iterable[str]:
    """How free text is written in TOML and Python, in HTML, in Markdown and in plain text."""
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    marked = value.replace("&", "&amp;").replace("<", "&lt;")
    spelled = re.sub(r"([\\`*_\[\]<&~])", r"\\\1", value)
    return (plain, escape(value), marked, spelled, value)


def wrong_import(project: Path, package: str, tree: Tree) -> list[str]:
    """What its modal_app says when it is imported with every warning an error; each package once."""
    if package not in _imported:
        (name,) = {path.split("/")[1] for path in tree if path.startswith("src/")}
        try:
            checks.check_imports([(project, name)])
            _imported[package] = ""
        except AssertionError as failure:
            _imported[package] = str(failure)[-300:]
    return [_imported[package]] if _imported[package] else []


def style_problems(
    trees: list[tuple[family.Answers, Tree]], store: Store, folder: Path
) -> list[tuple[family.Answers, str]]:
    """What Ruff says of all these projects, each with its own configuration: answers and a sentence."""
    for number, (_, tree) in enumerate(trees):
        wanted = {p: d for p, d in tree.items() if p.endswith(".py") or p == "pyproject.toml"}
        store.put(wanted, folder / str(number))
    found: dict[int, str] = {}
    while len(found) < len(trees):
        try:
            checks.check_style(folder)
            break
        except AssertionError as failure:
            lines = re.findall(r"^(?:--- )?(\d+)/(\S+.*)$", str(failure), re.MULTILINE)
            if not lines:
                raise
            for number, text in lines:
                found.setdefault(int(number), f"ruff: {text}")
                # It ends at the first kind of failure, and shows the last of many: go on without these.
                shutil.rmtree(folder / number, ignore_errors=True)
    return [(trees[number][0], text) for number, text in sorted(found.items())]
