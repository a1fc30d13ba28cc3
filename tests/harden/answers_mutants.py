"""Templates broken in one place each, which the checks of answers must catch."""

import shutil
from pathlib import Path

from harden.answers_given import draw_sets
from harden.answers_injections import CORPUS, EVERYWHERE, WHERE, Injection, examine, places
from harden.answers_rendered import attempt
from matrix import Store

PYPROJECT = "template/pyproject.toml.jinja"
ANSWERS = "template/{{ _copier_conf.answers_file }}.jinja"
WEB = "template/{{ api }}/src/{{ package_name }}/web.py.jinja"
PAGE = "template/{{ websocket }}/src/{{ package_name }}/page.html.jinja"
WEIGHTS = "template/{{ inference }}/src/{{ package_name }}/weights.py.jinja"
REGION = "includes/limits_function.py.jinja"
COMMAND = "template/{{ command }}/src/{{ package_name }}/command.py.jinja"
PIPELINES = "template/{{ pipelines }}/ci/project.py.jinja"
CHECKS, LIMITS, README = (
    "includes/checks.jinja",
    "includes/limits.py.jinja",
    "template/README.md.jinja",
)
RANDOM = ""  # caught by random sets, not by hostile text in one question
DESCRIPTION = "description = {{ description | to_json(ensure_ascii=False) }}"

# What is broken: file, text in it, text instead, the question that shows it.
MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "description as it is in TOML": (
        PYPROJECT,
        DESCRIPTION,
        'description = "{{ description }}"',
        "description",
    ),
    "any name of a model": (
        "copier.yml",
        "model(model_id) or facts",
        "facts",
        "model_id",
    ),
    "a model without quotes": (WEIGHTS, '"{{ model_id }}"', "{{ model_id }}", "model_id"),
    "a project's name in a docstring": (
        WEB,
        '"""The web application',
        '"""{{ project_name }}: the web application',
        "project_name",
    ),
    "a project's name in a comment": (
        WEB,
        "def create_app(",
        "# {{ project_name }}\ndef create_app(",
        "project_name",
    ),
    "a project's name as it is in HTML": (
        PAGE,
        "<h1>{{ project_name | e }}",
        "<h1>{{ project_name }}",
        "project_name",
    ),
    "a project's name in what pipelines know": (
        PIPELINES,
        "import sys\n",
        "import sys  # {{ project_name }}\n",
        "project_name",
    ),
    "a project's name in a command": (
        "includes/readme/run.md",
        "uv sync\n",
        "uv sync   # {{ project_name }}\n",
        "project_name",
    ),
    "an author as it is in TOML": (
        PYPROJECT,
        "user_name | to_json(ensure_ascii=False)",
        "('\"' ~ user_name ~ '\"')",
        "user_name",
    ),
    "a description as it is in Markdown": (
        README,
        "{{ paragraph(description) }}",
        "{{ description }}",
        "description",
    ),
    "a description as it is in YAML": (
        ANSWERS,
        "{{ dict(answers",
        "summary: {{ description }}\n{{ dict(answers",
        "description",
    ),
    "a command as it is in Python": (
        COMMAND,
        "{{ server_command | to_json(ensure_ascii=False) }}",
        "'{{ server_command }}'",
        "server_command",
    ),
    "any name of an author": ("copier.yml", "{{ person(user_name) }}", "", "user_name"),
    "any domain": ("copier.yml", "{{ domain(custom_domain) }}", "", "custom_domain"),
    "numbers changed for each other": (
        LIMITS,
        "scaledown_window={{ scaledown_window }}",
        "scaledown_window={{ timeout }}",
        RANDOM,
    ),
    "another app in pipelines": (
        PIPELINES,
        "{{ project_slug }}",
        "{{ package_name }}",
        RANDOM,
    ),
    "regions lost": (REGION, "{% if region %}", "{% if not region %}", RANDOM),
    "a refusal that says nothing": (
        CHECKS,
        "is not {{ what }} that Modal takes: use {{ least }} to {{ most }}.",
        "is wrong.",
        RANDOM,
    ),
    "too much is refused": (CHECKS, "length <= 300", "length <= 100", RANDOM),
}
MUTANTS_IN_SLICE = ("description as it is in TOML", "a project's name in a docstring")


def stale(template: Path) -> list[str]:
    """Those whose text is no longer where it was."""
    return [
        f"the mutant does not change {file}: {name}"
        for name, (file, text, _, _) in MUTANTS.items()
        if text not in (template / file).read_text()
    ]


def caught(task: tuple[Path, Path, str]) -> str:
    """The first problem that the checks find with a mutant and not without it; nothing if there is none."""
    template, folder, name = task
    file, text, instead, question = MUTANTS[name]
    mutant = folder / "mutants" / str(list(MUTANTS).index(name))
    shutil.copytree(template, mutant)
    content = (mutant / file).read_text()
    (mutant / file).write_text(content.replace(text, instead))
    return (
        by_random_sets(template, mutant, folder)
        if question == RANDOM
        else by_text(template, mutant, question)
    )


def by_text(template: Path, mutant: Path, question: str) -> str:
    for base in WHERE.get(question, EVERYWHERE[:2]):
        try:
            for problem in places(mutant, question, [base]):
                return problem
        except ValueError as broken:  # a harmless answer shows it
            return str(broken)
        for text in CORPUS:
            one = Injection(question, text, tuple(base.items()))
            problems = examine((mutant, one))[2]
            if problems and not examine((template, one))[2]:
                return problems[0]
    return ""


def by_random_sets(template: Path, mutant: Path, folder: Path) -> str:
    store = Store(folder / f"{mutant.name}-files")
    store.folder.mkdir()
    for given in draw_sets(80, 1, folder / "hypothesis"):
        outcomes = [attempt((each, store.folder, given, False)) for each in (mutant, template)]
        if new := set(outcomes[0].problems) - set(outcomes[1].problems):
            return min(new)
    return ""
