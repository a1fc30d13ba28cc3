"""The template family as data: its questions, every combination of their choices, and how to render one."""

import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import copier
import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment

from rendered import Rendered

ROOT = Path(__file__).resolve().parents[1]
NAME = "myapi"  # every render lands in a folder of this name, which names the project too
Answers = dict[str, Any]
Item = TypeVar("Item")
KIND = ("style", "server_app", "task")  # the questions that lead to a kind of project
# What mypy knows of the packages that projects install, for all of them.
MYPY = ROOT / ".nox" / "mypy"
SAY_SECONDS = 5.0  # between two lines of a long work
_rendered = Rendered()


def settings() -> Mapping[str, Any]:
    """copier.yml without its questions, keys as they stand there (with the underscore)."""
    return {name: value for name, value in _copier_yml().items() if name.startswith("_")}


@functools.cache
def questions() -> Mapping[str, Mapping[str, Any]]:
    """The questions of copier.yml in their order, computed ones included."""
    return {name: value for name, value in _copier_yml().items() if not name.startswith("_")}


@functools.cache
def _copier_yml() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text())
    return data


@functools.cache
def combinations() -> Sequence[Answers]:
    """Every combination of the choice and yes-or-no questions that somebody can give.

    Questions are walked in Copier's order with its own rules: one that is not asked takes its default, a choice
    whose validator speaks is not offered, and free text takes its default.
    """
    return [given for _, given in _walk(list(questions()), {"_folder_name": NAME}, {})]


def overlays(answers: Answers) -> set[str]:
    """The computed questions that render to `.` for these answers: the active overlays."""
    for known, given in _walk(list(questions()), {"_folder_name": NAME}, {}, only=answers):
        if given == answers:
            return {name for name, value in known.items() if value == "."}
    raise ValueError(f"nobody can give these answers: {answers}")


def asked(answers: Answers) -> list[str]:
    """The questions that Copier asks somebody who chooses these answers, in order."""
    known, _ = next(_walk(list(questions()), {"_folder_name": NAME}, {}, only=answers))
    return [name for name in questions() if _is_asked(name, known)]


def known(answers: Answers) -> Answers:
    """All values that a template sees, computed ones included, for any answers: choices, free text, numbers.

    As with Copier, a given value wins, and what is not given takes its default.
    """
    values: Answers = {"_folder_name": NAME}
    for name, question in questions().items():
        values[name] = answers[name] if name in answers else _default(question, values)
    return values


def offered(name: str, answers: Answers) -> list[Any]:
    """What the question offers somebody who gave these answers."""
    return list(_offered(questions()[name], known(answers)))


def accepts(answers: Answers) -> bool:
    """Whether Copier asks for each of these answers, all others at their default, and takes it."""
    values = known(answers)
    return all(_is_asked(name, values) and _takes(name, values) for name in answers)


def _takes(name: str, known: Answers) -> bool:
    question = questions()[name]
    if options := list(_offered(question, known)):
        return known[name] in options
    return not str(_render(question.get("validator", ""), known)).strip()


def _walk(
    names: list[str],
    known: Answers,
    given: Answers,
    only: Answers | None = None,
    first: Collection[str] = (),
) -> Iterator[tuple[Answers, Answers]]:
    """Yield what is known in the end (all values) and what was given (the choices).

    `only` allows these answers and no others; with `first` every other question than those takes the first it offers.
    """
    if not names:
        yield known, given
        return
    name, *rest = names
    question = questions()[name]
    options = list(_offered(question, known)) if _is_asked(name, known) else []
    for value in options[:1] if first and name not in first else options:
        if only is None or only.get(name) == value:
            yield from _walk(rest, known | {name: value}, given | {name: value}, only, first)
    if not options:
        yield from _walk(rest, known | {name: _default(question, known)}, given, only, first)


def _default(question: Mapping[str, Any], known: Answers) -> Any:
    value = _render(question["default"], known)
    return value if question["type"] == "str" else _load(str(value))


@functools.cache
def _load(text: str) -> Any:
    return _rendered.lasting(yaml.load(text, yaml.CSafeLoader))


def _is_asked(name: str, known: Answers) -> bool:
    """Whether a question comes up when these values are known; its own answer is not, when it does."""
    others = {**known}
    others.pop(name, None)
    return _says_yes(_render(questions()[name].get("when", True), others))


def _offered(question: Mapping[str, Any], known: Answers) -> Iterator[Any]:
    if question["type"] == "bool":
        yield from (False, True)
    choices = question.get("choices", [])
    for choice in choices.values() if isinstance(choices, dict) else choices:
        if not isinstance(choice, dict):
            yield choice
        elif not _render(choice.get("validator", ""), known).strip():
            yield choice["value"]


def _render(value: Any, known: Answers) -> Any:
    is_plain = not isinstance(value, str) or "{" not in value
    if is_plain:
        return value
    return _rendered.text(_environment(), value, known, lambda: _template(value).render(known))


@functools.cache
def _template(text: str) -> jinja2.Template:
    return _environment().from_string(text)


@functools.cache
def _environment() -> SandboxedEnvironment:
    options = {**settings()["_envops"], "undefined": jinja2.StrictUndefined}
    return SandboxedEnvironment(
        loader=jinja2.FunctionLoader(functools.cache(lambda name: (ROOT / name).read_text())),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        **options,
    )


def _says_yes(value: Any) -> bool:
    return str(value).strip().lower() in {"true", "yes", "1", "y", "on"}


@functools.cache
def styles() -> list[Answers]:
    """Each kind with each auth once; all other answers at their default."""
    start = {"_folder_name": NAME}
    return [given for _, given in _walk(list(questions()), start, {}, first=(*KIND, "auth"))]


def is_like_behind_the_proxy(answers: Answers) -> bool:
    """Whether it is open to all, of a kind that can also be behind Modal's proxy: to the container both are the same."""
    return answers.get("auth") == "none" and "proxy" in known(answers)["facts"]["auth"]


def kinds() -> Mapping[str, Answers]:
    """Each kind, and the first of styles() that leads to it."""
    found: dict[str, Answers] = {}
    for answers in styles():
        found.setdefault(kind(answers), answers)
    return found


@functools.cache
def choices() -> Mapping[str, Answers]:
    """Each kind, and the answers that lead to it."""
    return {kind: choice(answers) for kind, answers in kinds().items()}


@functools.cache
def kinds_with(fact: str) -> Sequence[str]:
    """The kinds whose facts have this, in the order of their names."""
    paths = sorted((ROOT / "styles").glob("*.yml"))
    return [path.stem for path in paths if fact in _load(path.read_text())]


def servers() -> list[Answers]:
    """Each kind that can be a Modal Server, as one; all other answers at their default."""
    every = []
    for chosen in choices().values():
        as_server = chosen | {"tune": True, "server_kind": "server"}
        every += [as_server] if accepts(as_server) else []
    return every


def kind(answers: Answers) -> str:
    """The name of the file in styles/ that holds the facts for these answers, or for all values."""
    if answers["style"] == "server":
        return str(answers["server_app"])
    task = answers.get("task", "generate") if answers["style"] == "inference" else "generate"
    return str(answers["style"] if task == "generate" else task)


def stem(answers: Answers) -> str:
    """Its kind, or `encoder` for all kinds of encoders: what they make of a text, a file or two, is all that they do not share."""
    name = kind(answers)
    return "encoder" if name in kinds_with("encoder") else name


def choice(answers: Answers) -> Answers:
    """Of these answers those that lead to their kind."""
    return {name: answers[name] for name in KIND if name in answers}


def identify(answers: Answers) -> str:
    """A short name of a combination, for messages and as a test id."""
    return "-".join(str(value) for name, value in answers.items() if name != "tune" or value)


def files() -> list[str]:
    """The files of the working tree that a release would hold: tracked ones and new ones, nothing ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def export(folder: Path) -> Path:
    """Copy the working tree as a release would hold it, but for examples/.

    Copier then renders from a plain folder: no clone, and no commit in the answers file.
    """
    for name in files():
        if not name.startswith("examples/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def render(template: Path, folder: Path, answers: Answers) -> Path:
    """Render a project into `folder`/myapi and return its path.

    Raises:
        ValueError: when an answer is refused; the message says why, and nothing is written.
    """
    project = folder / NAME
    copier.run_copy(str(template), project, data=answers, defaults=True, overwrite=True, quiet=True)
    return project


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The items; now and then, and after the last, a line says how many of all have come."""
    said = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        if number == total or time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            print(f"  {number} of {total} {what}", flush=True)


def use_memory() -> None:
    """Let temporary files lie in memory, Copier's too, for thousands that come and go."""
    if Path("/dev/shm").is_dir():  # noqa: S108
        os.environ["TMPDIR"] = tempfile.tempdir = "/dev/shm"  # noqa: S108


# For a project's own tests in the proofs' environment: plugins of pytest that no project has are slow to import.
OWN_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "anyio.pytest_plugin"}


def isolate(folder: Path) -> dict[str, str]:
    """An environment in which nobody's own settings of Copier, Git or uv leak into a test."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "copier.yml").write_text("{}\n")  # an empty file is an error to Copier
    (folder / "gitconfig").write_text(
        "[user]\nname = Test\nemail = test@example.com\n[init]\ndefaultBranch = main\n"
    )
    dropped = {
        "VIRTUAL_ENV",
        "UV_PROJECT_ENVIRONMENT",
        "PYTHONPATH",
        "API_TOKENS",
        "MODAL_TOKEN_ID",
    }
    return {name: value for name, value in os.environ.items() if name not in dropped} | {
        "COPIER_SETTINGS_PATH": str(folder / "copier.yml"),
        "COPIER_CACHE_DIR": str(folder / "copier"),  # of repositories, by their address
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
