"""Hostile text in each question that takes text: refused, or the same project but for the text itself."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

import family
from harden.answers_structure import FREE, Structure, differences, misplaced, structure

INJECTIONS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("injections.yml").read_text()
)
CORPUS = [text for texts in INJECTIONS.values() for text in texts]
# A harmless answer to each question; what is in it stands nowhere else in a project.
HARMLESS = {
    "project_name": "Zqx Marker",
    "project_slug": "zqx-slug",
    "package_name": "zqx_package",
    "description": "Zqx sentence",
    "user_name": "Zqx Person",
    "user_email": "zqx@marker.example",
    "custom_domain": "zqx.marker.example",
    "gpu": "RTX-PRO-6000",
    "model_id": "zqx/model",
    "model_revision": "zqx-revision",
    "server_command": "zqx-command",
    "region": "eu-zqx",
}
API = {"style": "api"}
SERVER = {"style": "server"}
COMMAND = {**SERVER, "server_app": "command"}
INFERENCE = {"style": "inference"}
ENGINES = [{**SERVER, "server_app": kind} for kind in family.kinds_with("engine")]
# The projects in which each kind of answer lands, beside the ones that take all of them.
EVERYWHERE: tuple[family.Answers, ...] = (
    API,
    {"style": "websocket", "auth": "bearer", "license": "proprietary"},
    COMMAND,
    INFERENCE,
    {"style": "simple"},
    {"style": "mcp"},
    {"style": "jobs"},
    {"style": "flask"},
    {"style": "django"},
    {**SERVER, "server_app": "gradio"},
    {**SERVER, "server_app": "streamlit"},
    *ENGINES,
)
WHERE: dict[str, Sequence[family.Answers]] = {
    "gpu": [INFERENCE, *ENGINES],
    "model_id": [INFERENCE, *ENGINES],
    "model_revision": [INFERENCE, *ENGINES],
    "server_command": [COMMAND],
}


@dataclass(frozen=True)
class Injection:
    """One hostile answer.

    Attributes:
        question: to which it is given.
        text: the answer.
        base: the other answers that choose a project.
    """

    question: str
    text: str
    base: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        where = "-".join(value for _, value in self.base)
        return f"{self.question}={self.text!r} in {where}"


def injections(question: str, *, full: bool) -> Iterator[Injection]:
    """Each hostile text by itself and, where there is time, within a harmless answer; in the first project that has it."""
    base = tuple(WHERE.get(question, EVERYWHERE)[0].items())
    harmless = HARMLESS[question]
    for text in CORPUS:
        yield Injection(question, text, base)
        if full:
            yield Injection(question, harmless + text, base)
            yield Injection(question, f"{harmless[:2]}{text}{harmless[2:]}", base)


def elsewhere(rendered: Iterable[Injection], *, full: bool) -> Iterator[Injection]:
    """What was rendered in the first project, again in the others where it lands: no refusal depends on them."""
    for one in rendered:
        others = WHERE.get(one.question, EVERYWHERE)[1:]
        if one.text in CORPUS:
            for base in others if full else others[:1]:
                yield Injection(one.question, one.text, tuple(base.items()))


def examine(task: tuple[Path, Injection]) -> tuple[Injection, str, list[str]]:
    """Give the answer; return it, whether it was `refused` or `rendered`, and what is wrong."""
    template, injection = task
    files = rendered(template, injection, injection.text)
    if isinstance(files, str):
        return injection, "refused", []
    marker = HARMLESS[injection.question]
    tame = _tame(template, injection)
    paths = {path.replace(marker, injection.text) for path in tame}
    problems = (
        [f"another set of files: {sorted(paths ^ set(files))}"] if paths != set(files) else []
    )
    for path, before in tame.items():
        content = files.get(path.replace(marker, injection.text))
        if (
            content is None
            or content == _content[template, injection.question, injection.base][path]
        ):
            continue
        try:
            after = structure(path, content)
        except ValueError as error:
            problems.append(f"{path} {error}")
            continue
        problems += differences(path, before, after, marker, injection.text)
    return injection, "rendered", [f"{injection}: {problem}" for problem in problems]


_Key = tuple[Path, str, tuple[tuple[str, str], ...]]
_structures: dict[_Key, dict[str, Structure]] = {}
_content: dict[_Key, dict[str, str]] = {}


def _tame(template: Path, injection: Injection) -> dict[str, Structure]:
    """The same project with a harmless answer; rendered once for each process."""
    key = (template, injection.question, injection.base)
    if key not in _structures:
        files = rendered(template, injection, HARMLESS[injection.question])
        assert isinstance(files, dict), f"a harmless answer is refused: {files}"
        _content[key] = files
        _structures[key] = {path: structure(path, content) for path, content in files.items()}
    return _structures[key]


def rendered(template: Path, injection: Injection, text: str) -> dict[str, str] | str:
    """The files by their path, or the refusal."""
    # All are given, so that none is derived from another.
    given = {**HARMLESS, **dict(injection.base), injection.question: text}
    with tempfile.TemporaryDirectory() as folder:
        try:
            project = family.render(template, Path(folder), given)
        except ValueError as refusal:
            return str(refusal)
        return {
            path.relative_to(project).as_posix(): path.read_bytes().decode()
            for path in sorted(project.rglob("*"))
            if path.is_file()
        }


def places(template: Path, question: str, bases: Iterable[family.Answers]) -> list[str]:
    """Where a harmless answer stands that free text must not."""
    if question not in FREE:
        return []
    found: list[str] = []
    for base in bases:
        one = Injection(question, HARMLESS[question], tuple(base.items()))
        for path, tame in _tame(template, one).items():
            found += misplaced(path, tame, HARMLESS[question])
    return found
