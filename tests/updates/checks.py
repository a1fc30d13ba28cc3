"""What must hold for every update. Each check raises AssertionError with what it saw, and returns how many files it compared."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from copier import VcsRef

import family
from releases import git
from updates import edits
from updates.edits import Edit
from updates.history import History
from updates.project import (
    ANSWERS,
    Files,
    Project,
    check_equal,
    check_merged,
    lock,
    made,
    rendered,
    run_suite,
)
from updates.switches import Switch

CURRENT = VcsRef.CURRENT
LISTS_CONFLICTS = "git diff --name-only --diff-filter=U"
LOCKS_AGAIN = "uv sync"
LISTS_GONE = "git diff --name-only --diff-filter=D HEAD"


def check_untouched(past: History, _folder: Path, tag: str, kind: str) -> int:
    """From a release to the working tree: no conflict, no other answer, and what a fresh render gives."""
    with made(past, tag, family.choices()[kind]) as project:
        before = project.answers()
        project.update(past.today)
        assert not project.conflicts()
        check_answers(project, before)
        return check_fresh(project, past.today)


def planned_edits(past: History, everything: bool) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """Rows, checks and arguments: from each release to the working tree, and from there to what touches the same files."""
    for number, kind in enumerate(family.choices()):
        # Each kind in full from one release, by turns, and from the newest.
        having = past.having(kind)
        turn = having[number % len(having)] if having else ""
        for tag in having if everything else sorted({turn, *having[-1:]} - {""}):
            with_suite = everything or tag == turn
            yield (
                "lived-in projects updated",
                "check_edits",
                (tag, past.today, kind, edits.LIVED_IN, with_suite),
            )
        for chosen in edits.EDITS + (edits.EACH if everything else []):
            yield (
                "lived-in projects updated",
                "check_edits",
                (past.today, past.tomorrow, kind, chosen, False),
            )


def check_edits(
    past: History, _folder: Path, tag: str, to: str, kind: str, chosen: list[Edit], with_suite: bool
) -> int:
    """Nothing that the owner wrote is lost, and each file is what Git's own merge makes of it."""
    with made(past, tag, family.choices()[kind]) as project:
        base, answers = project.files(), project.answers()
        lock(project)
        for edit in chosen:
            edit(project, kind)
        project.commit("Edited")
        mine = project.files()
        project.update(to)
        files, theirs = project.files(), rendered(past, to, project.answers())
        check_kept(base, mine, files)
        conflicts = check_merged(base, mine, theirs, files)
        assert project.conflicts() == conflicts
        assert LISTS_CONFLICTS in project.printed
        assert LOCKS_AGAIN in project.printed
        assert set(git(project.folder, *LISTS_CONFLICTS.split()[1:]).splitlines()) == conflicts
        check_answers(project, answers)
        if with_suite:
            resolve(project, kind, conflicts)
            run_suite(project)
        return len(files)


def check_kept(base: Files, mine: Files, files: Files) -> None:
    """Each line that the owner wrote is still there, and what the owner deleted is not."""
    for name, own in mine.items():
        if own == base.get(name) or name == ANSWERS:
            continue
        assert name in files, f"{name} is gone, with what the owner wrote there"
        added = set(own.splitlines()) - set(base.get(name, b"").splitlines())
        lost = added - set(files[name].splitlines())
        assert not lost, f"{name} lost what the owner wrote: {lost}"
    back = (base.keys() - mine.keys()) & files.keys()
    assert not back, f"deleted by the owner, and back again: {back}"


def resolve(project: Project, kind: str, conflicts: set[str]) -> None:
    """As an owner who renamed a function does where there are conflicts: keeps the own lines, and renames it in new ones too.

    Of handlers both are kept: each side has added functions at the end.
    """
    for name in conflicts:
        kept = r"\1\n\n\2" if name == edits.HANDLERS else r"\1"
        file = project.folder / name
        file.write_text(
            re.sub(
                r"(?ms)^<<<<<<< before updating\n(.*?)^=======\n(.*?)^>>>>>>> after updating\n",
                kept,
                file.read_text(),
            )
        )
    if conflicts:
        edits.rename_a_function(project, kind)


def check_answers(project: Project, before: family.Answers) -> None:
    """No answer is another one, none is lost, and only who asked for all questions has more of them.

    But for what it is: a style that has become several things is asked which, and is what it was.
    """
    after = project.answers()
    more = after.keys() - before.keys() - {*family.KIND}
    assert family.kind(before) == family.kind(after), f"it became {family.kind(after)}"
    assert before.items() <= after.items(), f"answers: {before}, then {after}"
    assert not more or before["tune"], f"answers that nobody gave: {more}"
    assert "Answers that changed" not in project.printed, project.printed


def check_fresh(project: Project, tag: str) -> int:
    """What a fresh render with the recorded answers gives."""
    files = {name: content for name, content in project.files().items() if name != "uv.lock"}
    check_equal(files, rendered(project.history, tag, project.answers()))
    return len(files)


def check_answer(past: History, _folder: Path, switch: Switch) -> int:
    """Another answer, the same version: recorded, everything else as it was, and what a fresh render gives."""
    with made(past, past.today, family.choices()[switch.kind]) as project:
        before, data = project.answers(), dict(switch.data)
        project.update(CURRENT, **data)
        assert not project.conflicts()
        check_answers(project, before | data)
        return check_fresh(project, past.today)


def check_there_and_back(past: History, _folder: Path, switch: Switch) -> int:
    """Another kind of project and back: a fresh render each time, and in the end what it was."""
    with made(past, past.today, family.choices()[switch.kind]) as project:
        first, auth = project.files(), project.answers()["auth"]
        count = 0
        for data in (dict(switch.data), family.choices()[switch.kind]):
            before = project.answers()
            project.update(CURRENT, **data)
            assert not project.conflicts()
            count += check_fresh(project, past.today)
            after = project.answers()
            changed = {
                name for name, value in before.items() if after.get(name) != value
            } - data.keys()
            assert changed <= {"auth"}, f"changed unasked: {changed}"
            assert not changed or says_that_auth_changed(project, before, after)
            assert before["auth"] == "none" or after["auth"] != "none", "the door is open"
            project.commit("Updated")
        if project.answers()["auth"] == auth:
            last = project.files()
            check_equal({**last, ANSWERS: b""}, {**first, ANSWERS: b""})
        return count


def says_that_auth_changed(project: Project, before: family.Answers, after: family.Answers) -> bool:
    return f"  auth was {before['auth']} and is {after['auth']}\n" in project.printed


# ---- What Copier alone gets wrong, and the template's remedies ----------------------------------


def check_a_hidden_answer_comes_back(past: History, _folder: Path) -> int:
    chosen = {
        "style": "inference",
        "gpu": "H100:2",
        "model_id": "owner/model",
        "memory_snapshot": False,
    }
    with made(past, past.today, chosen) as project:
        first = project.files()
        for style in ("flask", "websocket", "inference"):
            project.update(CURRENT, style=style).commit(style)
            assert "Answers that changed" not in project.printed, project.printed
        check_equal(project.files(), first)
        return len(first)


def check_a_closed_door_stays_closed(past: History, _folder: Path) -> int:
    data = {"style": "server", "server_app": "streamlit"}
    with made(past, past.today, {"style": "api", "auth": "bearer"}) as project:
        before = project.answers()
        project.update(CURRENT, **data)
        after = project.answers()
        assert after["auth"] == "proxy", f"bearer became {after['auth']}"
        assert says_that_auth_changed(project, before, after), project.printed
        check_fresh(project, past.today)
        project.commit("Updated").update(CURRENT, style="api", auth="bearer").commit("Back")
        project.update(CURRENT, **data, auth="none")
        assert project.answers()["auth"] == "none"
        assert "Answers that changed" not in project.printed, "it was asked for"
        return check_fresh(project, past.today)


def check_what_goes_with_a_style_is_announced(past: History, _folder: Path) -> int:
    """An edited file that only the old style has is deleted; the message lists it and brings it back."""
    page = "src/myapi/page.html"
    with made(past, past.today, {"style": "websocket"}) as project:
        own = (project.folder / page).read_text() + "<!-- mine -->\n"
        (project.folder / page).write_text(own)
        project.commit("Edited")
        project.update(CURRENT, style="flask")
        assert not (project.folder / page).exists()
        assert LISTS_GONE in project.printed, project.printed
        assert page in git(project.folder, *LISTS_GONE.split()[1:]).splitlines()
        (restore,) = re.findall(r"git (restore .+?) FILE", project.printed)
        git(project.folder, *restore.split(), page)
        assert (project.folder / page).read_text() == own
        return 1


def check_what_follows_another_answer_follows(past: History, _folder: Path) -> int:
    """A default command names the package, a default description the style."""
    with made(past, past.today, {"style": "server", "server_app": "command"}) as project:
        project.update(CURRENT, package_name="another")
        assert (project.folder / "src/another/handlers.py").exists(), "the starter is gone"
        check_fresh(project, past.today)
        project.commit("Updated").update(CURRENT, style="flask")
        assert "Flask" in (project.folder / "pyproject.toml").read_text().split("readme")[0]
        return check_fresh(project, past.today)


def check_an_answer_that_is_no_longer_offered_is_announced(past: History, _folder: Path) -> int:
    with made(past, past.today, {"license": "proprietary"}) as project:
        project.update(past.tomorrow)
        assert project.answers()["license"] == "mit"
        assert "  license was proprietary and is mit\n" in project.printed, project.printed
        return 1


def check_a_package_gets_another_name(past: History, _folder: Path) -> int:
    """As README says, the owner moves the folder first: then no line is lost, and the rest is a fresh render."""
    with made(past, past.today, {"style": "api"}) as project:
        edits.add_a_route(project, "api")
        edits.change_a_default(project, "api")
        project.commit("Edited")
        mine = project.files()
        readme = (project.folder / "README.md").read_text()
        ((move, name, value),) = re.findall(
            r"```bash\n(git mv .+)\nuvx copier update --vcs-ref=:current: --data (\w+)=(\w+)\n```",
            readme,
        )
        shell(project, move.replace("new_name", "another"))
        project.update(CURRENT, **{name: value.replace("new_name", "another")})
        files = project.files()
        moved = {path.replace("src/myapi/", "src/another/"): own for path, own in mine.items()}
        theirs = rendered(past, past.today, project.answers())
        own = {"src/another/handlers.py", "src/another/modal_app.py", "tests/test_mine.py"}
        assert project.conflicts() == own & theirs.keys()
        for path in own:
            lost = set(moved[path].splitlines()) - set(files[path].splitlines())
            assert not lost, f"{path} lost what the owner wrote: {lost}"
        check_equal(
            {k: v for k, v in files.items() if k not in own},
            {k: v for k, v in theirs.items() if k not in own},
        )
        return len(files)


def check_a_package_that_was_not_moved_is_announced(past: History, _folder: Path) -> int:
    """What the message says undoes it all."""
    with made(past, past.today, {"style": "api"}) as project:
        edits.add_a_route(project, "api")
        mine = project.commit("Edited").files()
        project.update(CURRENT, package_name="another")
        assert "what you had\nwritten in them is left behind" in project.printed, project.printed
        (undo,) = re.findall(r"^  (git reset --hard && .+)$", project.printed, re.MULTILINE)
        shell(project, undo)
        check_equal(project.files(), mine)
        return len(mine)


def check_a_new_file_meets_one_of_the_owners(past: History, folder: Path) -> int:
    """In a project from before there was a client, which has one of its own: both stand there, marked."""
    return check_edits(
        past, folder, past.released[0], past.today, "api", [edits.write_a_client], with_suite=False
    )


REMEDIES: list[Callable[[History, Path], int]] = [
    check_a_hidden_answer_comes_back,
    check_a_closed_door_stays_closed,
    check_what_goes_with_a_style_is_announced,
    check_what_follows_another_answer_follows,
    check_an_answer_that_is_no_longer_offered_is_announced,
    check_a_package_gets_another_name,
    check_a_package_that_was_not_moved_is_announced,
    check_a_new_file_meets_one_of_the_owners,
]


def shell(project: Project, command: str) -> str:
    run = subprocess.run(
        ["bash", "-ec", command], cwd=project.folder, check=True, capture_output=True, text=True
    )
    return run.stdout
