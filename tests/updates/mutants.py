"""Templates broken in one place each. A check that lets its mutant pass checks nothing."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from updates import checks, edits, history
from updates.history import History
from updates.switches import Switch

ANSWERS = "template/{{ _copier_conf.answers_file }}.jinja"
MESSAGE = "includes/message_after_update.txt"
QUESTIONS = "copier.yml"
README = "template/README.md.jinja"
SETTINGS = "_subdirectory: template\n"


@dataclass(frozen=True)
class Mutant:
    """A change of the template, the check that must see it, and the words that its failure must hold.

    Without a text, the file itself gets another name.
    """

    file: str
    text: str
    instead: str
    check: Callable[[History, Path], int]
    words: str


def to_tomorrow(past: History, folder: Path, chosen: list[edits.Edit]) -> int:
    return checks.check_edits(
        past, folder, past.today, past.tomorrow, "api", chosen, with_suite=False
    )


def there_and_back(past: History, folder: Path) -> int:
    return checks.check_there_and_back(past, folder, Switch("api", (("style", "websocket"),)))


def from_the_last(past: History, folder: Path) -> int:
    return checks.check_untouched(past, folder, past.released[-1], "api")


def another_region(past: History, folder: Path) -> int:
    return checks.check_answer(past, folder, Switch("api", (("region", "eu"),)))


def new_route_from_the_last(past: History, folder: Path) -> int:
    return checks.check_edits(
        past, folder, past.released[-1], past.today, "api", [edits.add_a_route], with_suite=False
    )


MUTANTS: dict[str, Mutant] = {
    "hidden answers are forgotten": Mutant(
        ANSWERS,
        "given | from_json | combine(",
        "{} | combine(",
        checks.check_a_hidden_answer_comes_back,
        "other than a fresh render",
    ),
    "a closed door opens": Mutant(
        QUESTIONS,
        "{{ 'proxy' if (given",
        "{{ 'none' if (given",
        checks.check_a_closed_door_stays_closed,
        "bearer became none",
    ),
    "auth changes in silence": Mutant(
        MESSAGE,
        "  {{ name }} was",
        "  {{ name }} is no more",
        checks.check_a_closed_door_stays_closed,
        "Updated",
    ),
    "files go in silence": Mutant(
        MESSAGE,
        "{% if 'style' in said",
        "{% if 'styles' in said and 'style' in said",
        checks.check_what_goes_with_a_style_is_announced,
        "Updated",
    ),
    "a moved package is not announced": Mutant(
        MESSAGE,
        "{% if 'package_name' in said",
        "{% if 'package' in said",
        checks.check_a_package_that_was_not_moved_is_announced,
        "Updated",
    ),
    "a command names the old package": Mutant(
        ANSWERS,
        "['server_command'] if starter",
        "[] if starter",
        checks.check_what_follows_another_answer_follows,
        "the starter is gone",
    ),
    "what to do with conflicts is not said": Mutant(
        MESSAGE, "--diff-filter=U", "", partial(to_tomorrow, chosen=[edits.change_a_default]), ""
    ),
    "nobody says to lock again": Mutant(
        MESSAGE, "uv sync", "uv", partial(to_tomorrow, chosen=[edits.change_a_default]), ""
    ),
    "a render depends on how it is asked for": Mutant(
        README,
        "## Update it",
        "## Update it {{ _copier_conf.data | length }}",
        another_region,
        "README.md",
    ),
    "a file never gets better": Mutant(
        QUESTIONS,
        SETTINGS,
        SETTINGS + "_skip_if_exists: [README.md]\n",
        partial(to_tomorrow, chosen=[edits.rewrite_the_readme]),
        "README.md is not what Git's merge makes of it",
    ),
    "a deleted file comes back": Mutant(
        QUESTIONS,
        SETTINGS,
        SETTINGS + "_skip_if_exists: [LICENSE]\n",
        partial(to_tomorrow, chosen=[edits.delete_files]),
        "deleted by the owner, and back again",
    ),
    "a file is left over": Mutant(
        QUESTIONS,
        SETTINGS,
        SETTINGS + "_skip_if_exists: [src/*/page.html, src/*/handlers.py]\n",
        there_and_back,
        "other than a fresh render",
    ),
    "an answer changes its value": Mutant(
        QUESTIONS, 'keep the notice": mit', 'keep the notice": MIT', from_the_last, "mit"
    ),
    "an answer gets another name": Mutant(
        QUESTIONS, "\nlicense:\n", "\nlicence:\n", from_the_last, "licen"
    ),
    "a question has no default": Mutant(
        QUESTIONS, "  default: mit\n", "", another_region, '"license" is required'
    ),
    "a file moves": Mutant(
        "template/{{ api }}/src/{{ package_name }}/handlers.py",
        "",
        "",
        new_route_from_the_last,
        "src/myapi/handlers.py is gone, with what the owner wrote there",
    ),
    "a file that is there is not merged": Mutant(
        QUESTIONS,
        SETTINGS,
        SETTINGS + "_skip_if_exists: [examples/client.py]\n",
        checks.check_a_new_file_meets_one_of_the_owners,
        "examples/client.py is not what Git's merge makes of it",
    ),
    "a task wants trust": Mutant(
        QUESTIONS,
        SETTINGS,
        SETTINGS + "_tasks: [git init]\n",
        from_the_last,
        "potentially unsafe feature: tasks",
    ),
    "a migration wants trust": Mutant(
        QUESTIONS,
        SETTINGS,
        SETTINGS + "_migrations: [touch moved]\n",
        from_the_last,
        "potentially unsafe feature: migrations",
    ),
}


def check_mutant(past: History, _folder: Path, name: str) -> int:
    mutant = MUTANTS[name]

    def change(template: Path) -> None:
        file = template / mutant.file
        if not mutant.text:
            file.rename(file.with_name("routes.py"))
            return
        content = file.read_text()
        assert mutant.text in content, f"the mutant {name!r} does not change {mutant.file}"
        file.write_text(content.replace(mutant.text, mutant.instead))

    with tempfile.TemporaryDirectory(prefix="updates") as folder:
        broken = history.break_(past, Path(folder, "modal-endpoints"), change)
        try:
            mutant.check(broken, Path(folder))
        except Exception as failure:  # noqa: BLE001
            said = f"{type(failure).__name__}: {failure}"
            assert re.search(re.escape(mutant.words), said), f"caught, for another reason: {said}"
            return 1
    raise AssertionError("not caught")
