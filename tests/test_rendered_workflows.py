"""What keeps a project current and clean: the weekly update, and the hook against merge markers.

The update is the script that the workflow runs, with the real Copier, uv and Git, a bare repository as `origin`, and a
stand-in for GitHub's command line that records what it is asked for.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import copier
import pytest
import yaml

import family
import fast_copier
import locks
import slices

BRANCH = "copier-update"
SCRIPT = ".github/update.sh"
UVX = """#!/bin/sh
test "$1" = copier || exit 9
shift
{copier} "$@" || exit
if test "$1" = update && test -n "$REJECT"; then echo rejected > "$REJECT"; fi
"""
# Remembers one open pull request, as GitHub would.
GH = """#!{python}
import json, os, pathlib, sys
arguments = sys.argv[1:]
folder = pathlib.Path(__file__).parent
assert arguments[0] == "api" and os.environ["GH_TOKEN"] == "secret"
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if any(argument.startswith("head=") for argument in arguments):
    (folder / "open").touch()
if arguments[1].endswith("/pulls?state=open&head={{owner}}:copier-update"):
    print("7" if (folder / "open").exists() else "")
"""
# Keeps merge requests, as GitLab would: whether one is open, and what it was asked. Refuses where told.
CURL = """#!{python}
import itertools, json, pathlib, sys
arguments = sys.argv[1:]
folder = pathlib.Path(__file__).parent
assert "--fail-with-body" in arguments and arguments[arguments.index("--header") + 1] == "@-"
assert sys.stdin.read() == "PRIVATE-TOKEN: secret\\n"
given = list(itertools.pairwise(arguments))
method = "GET" if "--get" in arguments else dict(given).get("--request", "POST")
fields = dict(value.split("=", 1) for flag, value in given if flag.startswith("--data"))
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps([method, arguments[-1], fields]) + "\\n")
if (folder / f"refuses {{method}}").exists():
    print('{{"message": "403 Forbidden"}}')
    sys.exit(22)
if method == "GET":
    print('[{{"id": 1, "iid": 7}}]' if (folder / "open").exists() else "[]")
else:
    (folder / "open").touch()
    print('{{"iid": 7, "web_url": "https://gitlab.example.com/a/b/-/merge_requests/7"}}')
"""
GITLAB = {
    "CI_SERVER_HOST": "gitlab.example.com",
    "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
    "CI_PROJECT_ID": "3",
    "UPDATE_TOKEN": "secret",
    "GH_TOKEN": "",
}
README_THEN = "Needs [uv](https://docs.astral.sh/uv/) and nothing else"
README_NOW = "All it needs is [uv](https://docs.astral.sh/uv/)"
PROPRIETARY = '    "proprietary'


def git(folder: Path, *arguments: str) -> str:
    """What `git …` prints there, without the last newline."""
    run = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return run.stdout.rstrip("\n")


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def replace(file: Path, text: str, instead: str) -> None:
    content = file.read_text()
    assert text in content, f"{file.name} does not hold: {text}"
    file.write_text(content.replace(text, instead))


@pytest.fixture(scope="session")
def releases(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as a repository of two releases: the next has another README, dependency and choice of licences."""
    folder = tmp_path_factory.mktemp("releases") / "modal-endpoints"
    shutil.copytree(template, folder)
    for name in (
        "tests",
        "benchmarks",
        "docs",
    ):  # Copier reads none, and clones them for each update
        shutil.rmtree(folder / name)
    git(folder, "init", "--quiet")
    commit(folder, "First")
    git(folder, "tag", "v1.0.0")
    replace(folder / "includes/readme/run.md", README_THEN, README_NOW)
    replace(
        folder / "template/pyproject.toml.jinja", "'mypy>=2.4', ", "'iniconfig>=2', 'mypy>=2.3', "
    )
    script = folder / "includes/update.sh.jinja"
    replace(
        script, "set -euo pipefail", "set -euo pipefail\n" + "exit 3  # not what was started\n" * 99
    )
    questions = folder / "copier.yml"
    questions.write_text(
        re.sub(rf"^{PROPRIETARY}.*\n", "", questions.read_text(), flags=re.MULTILINE)
    )
    commit(folder, "Second")
    git(folder, "tag", "v1.1.0")
    return folder


@pytest.fixture(scope="session")
def pristine(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the first release, locked and committed."""
    return made(releases, tmp_path_factory.mktemp("pristine"), {"license": "proprietary"})


@pytest.fixture(scope="session")
def pristine_on_gitlab(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(releases, tmp_path_factory.mktemp("gitlab"), {"ci": "gitlab"})


def made(releases: Path, folder: Path, more: family.Answers) -> Path:
    project, answers = folder / family.NAME, {"style": "simple", **more}
    copier.run_copy(
        str(releases), project, data=answers, vcs_ref="v1.0.0", defaults=True, quiet=True
    )
    locks.lock(project)
    git(project, "init", "--quiet")
    commit(project, "Project")
    return project


@dataclass(frozen=True)
class World:
    """A project, its `origin`, and stand-ins for what is outside."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / family.NAME

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def update(self, status: int = 0, script: str = SCRIPT, **variables: str) -> str:
        """Run the script as the workflow does; what it prints."""
        environment = os.environ | {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "GH_TOKEN": "secret",
            "REJECT": "",
        }
        run = subprocess.run(
            ["bash", script],
            cwd=self.project,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        printed = run.stdout + run.stderr
        assert run.returncode == status, f"exit {run.returncode}, not {status}:\n{printed}"
        return printed

    def edit(self, file: str, text: str, instead: str) -> None:
        """A change by the owner, committed and pushed."""
        replace(self.project / file, text, instead)
        commit(self.project, f"Edit {file}")
        git(self.project, "push", "--quiet", "origin", "main")

    def pushed(self) -> Path:
        """A fresh checkout of the branch that the pull request shows."""
        folder = self.folder / "pushed"
        shutil.rmtree(folder, ignore_errors=True)
        git(self.folder, "clone", "--quiet", "--branch", BRANCH, str(self.origin), str(folder))
        return folder

    def branches(self) -> list[str]:
        return git(self.origin, "branch", "--format=%(refname:short)").splitlines()

    def requests(self) -> list[list[str]]:
        """What was asked of GitHub, apart from whether a pull request is open."""
        calls = self.folder / "bin" / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        asked = [json.loads(line)[1:] for line in lines]
        return [arguments for arguments in asked if "?" not in arguments[0]]

    def pull_request(self) -> dict[str, str]:
        """The fields of the only request that was made."""
        (arguments,) = self.requests()
        return fields(arguments)


def fields(arguments: list[str]) -> dict[str, str]:
    given = [value for flag, value in pairwise(arguments) if flag == "-f"]
    return dict(value.split("=", 1) for value in given)


@pytest.fixture
def world(pristine: Path, tmp_path: Path) -> World:
    return world_of(pristine, tmp_path)


@pytest.fixture
def on_gitlab(pristine_on_gitlab: Path, tmp_path: Path) -> World:
    return world_of(pristine_on_gitlab, tmp_path)


def world_of(pristine: Path, tmp_path: Path) -> World:
    world = World(tmp_path)
    shutil.copytree(pristine, world.project)
    git(tmp_path, "clone", "--quiet", "--bare", str(world.project), str(world.origin))
    git(world.project, "remote", "add", "origin", str(world.origin))
    (tmp_path / "bin").mkdir()
    for name, text in {"uvx": UVX, "gh": GH, "curl": CURL}.items():
        stand_in = tmp_path / "bin" / name
        stand_in.write_text(text.format(python=sys.executable, copier=fast_copier.COMMAND))
        stand_in.chmod(0o755)
    return world


def check_nothing_newer(world: World) -> None:
    """A project that is up to date: nothing is pushed, nobody is asked, and no token is needed."""
    answers = world.project / ".copier-answers.yml"
    replace(answers, "_commit: v1.0.0", "_commit: v1.1.0")
    commit(world.project, "Up to date")
    assert "nothing newer" in world.update(GH_TOKEN="")
    assert world.branches() == ["main"]
    assert world.requests() == []


def check_an_update(world: World) -> None:
    """The release becomes one branch and one pull request, locked again, and main stays as it was."""
    before = git(world.origin, "rev-parse", "main")
    world.update()
    request = world.pull_request()
    assert world.requests()[0][0] == "repos/{owner}/{repo}/pulls"
    assert request["title"] == "Update the template to 1.1.0"
    assert (request["head"], request["base"]) == (BRANCH, "main")
    assert "Not finished" not in request["body"]
    assert "`uv.lock` is locked again" in request["body"]
    assert git(world.origin, "rev-parse", "main") == before
    pushed = world.pushed()
    assert README_NOW in (pushed / "README.md").read_text()
    assert "_commit: v1.1.0" in (pushed / ".copier-answers.yml").read_text()
    assert git(pushed, "rev-list", "--count", "origin/main..HEAD") == "1"
    subprocess.run(["uv", "lock", "--check", "--quiet"], cwd=pushed, check=True)


def check_an_answer_that_is_no_longer_offered(world: World) -> None:
    """Copier takes the default in its place without a word, so the pull request says it."""
    world.update()
    body = world.pull_request()["body"]
    assert "```diff\n-license: proprietary\n+license: mit\n```" in body


def check_a_second_run(world: World) -> None:
    """The same branch is made anew from main, and the same pull request is renewed."""
    world.update()
    git(world.project, "switch", "--quiet", "main")
    world.edit("README.md", "## Watch it", "## Watch it well")
    world.update()
    first, second = world.requests()
    assert first[0] == "repos/{owner}/{repo}/pulls"
    assert second[:3] == ["--method", "PATCH", "repos/{owner}/{repo}/pulls/7"]
    assert fields(second)["body"] == fields(first)["body"]
    assert world.branches() == [BRANCH, "main"]
    readme = (world.pushed() / "README.md").read_text()
    assert "## Watch it well" in readme
    assert README_NOW in readme


def check_a_conflict(world: World) -> None:
    """The pull request names the file in its text and says so in its title; both sides are in the file."""
    world.edit("README.md", README_THEN, "You need [uv](https://docs.astral.sh/uv/)")
    world.update()
    request = world.pull_request()
    assert request["title"] == "[conflicts] Update the template to 1.1.0"
    assert "**Not finished.**" in request["body"]
    assert re.findall("^- `(.+)`$", request["body"], re.MULTILINE) == ["README.md"]
    readme = (world.pushed() / "README.md").read_text()
    assert "<<<<<<< before updating\nYou need [uv]" in readme
    assert f"=======\n{README_NOW}" in readme


def check_a_rejected_change(world: World) -> None:
    """A .rej file is named, and pushed to be seen."""
    world.update(REJECT="notes.txt.rej")
    request = world.pull_request()
    assert request["title"].startswith("[conflicts]")
    assert re.findall("^- `(.+)`$", request["body"], re.MULTILINE) == ["notes.txt.rej"]
    assert (world.pushed() / "notes.txt.rej").exists()


def check_a_lock_that_fails(world: World) -> None:
    """Markers in pyproject.toml: nothing can be locked, and that is said."""
    world.edit("pyproject.toml", '    "mypy>=2.4",\n', '    "mypy>=2.4.1",\n')
    world.update()
    request = world.pull_request()
    assert request["title"] == "[uv lock fails] [conflicts] Update the template to 1.1.0"
    assert re.findall("^- `(.+)`$", request["body"], re.MULTILINE) == ["pyproject.toml"]
    assert "**`uv.lock` is as it was**" in request["body"]


def check_no_token(world: World) -> None:
    """One sentence says what is missing, and nothing is pushed."""
    printed = world.update(status=1, GH_TOKEN="")
    assert re.search(
        r"^update\.sh: release 1\.1\.0 of the template is out, but without a token in the secret"
        r' UPDATE_TOKEN there is no pull request: see "Update it" in README\.md',
        printed,
        re.MULTILINE,
    )
    assert world.branches() == ["main"]


def check_work_on_the_branch(world: World) -> None:
    """What somebody did there, resolving a conflict perhaps, is not thrown away."""
    world.update()
    (world.project / "resolved.txt").write_text("by hand\n")
    commit(world.project, "Resolve")
    git(world.project, "push", "--quiet", "origin", BRANCH)
    git(world.project, "switch", "--quiet", "main")
    assert "holds commits of others" in world.update(status=1)
    assert (world.pushed() / "resolved.txt").exists()


def check_uncommitted_changes(world: World) -> None:
    """They are neither pushed nor lost."""
    (world.project / "README.md").write_text("mine\n")
    assert "there are uncommitted changes" in world.update(status=1)
    assert git(world.project, "branch", "--show-current") == "main"
    assert (world.project / "README.md").read_text() == "mine\n"


CASES = [value for name, value in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CASES, ids=lambda check: check.__name__)
def test_the_weekly_update(world: World, check: Callable[[World], None]) -> None:
    check(world)


# What is broken in the script: (text in it, text instead, the case that shows it)
MUTANTS = {
    "newer is never noticed": ('available": true', 'available": false', check_an_update),
    "a token is always needed": (
        '[ -z "$(git status --porcelain)" ]',
        '[ -n "$GH_TOKEN" ]',
        check_nothing_newer,
    ),
    "a missing token is passed over": ('[ -n "${GH_TOKEN:-}" ]', "true", check_no_token),
    "a changed answer is hidden": (
        '[ -z "$answers" ]',
        "true",
        check_an_answer_that_is_no_longer_offered,
    ),
    "the lock is left alone": ("if uv lock; then", "if true; then", check_an_update),
    "a failing lock is hidden": (
        "if uv lock; then",
        "if uv lock || true; then",
        check_a_lock_that_fails,
    ),
    "a conflict is hidden": ('if [ -n "$conflicts" ]', "if false", check_a_conflict),
    "a rejected change is hidden": (
        "--exclude-standard -- '*.rej'",
        "-- nothing",
        check_a_rejected_change,
    ),
    "a pull request for each run": ('if [ -n "$pull" ]', "if false", check_a_second_run),
    "others' commits are overwritten": ('[ -z "$others" ]', "true", check_work_on_the_branch),
    "changes are taken along": (
        '[ -z "$(git status --porcelain)" ]',
        "true",
        check_uncommitted_changes,
    ),
    "pushed to main": ("HEAD:refs/heads/$branch", "HEAD:refs/heads/$base", check_an_update),
}


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_broken_script_is_caught(world: World, name: str) -> None:
    text, instead, check = MUTANTS[name]
    replace(world.project / SCRIPT, text, instead)
    commit(world.project, "Break the script")
    with pytest.raises(AssertionError):
        check(world)


def test_a_script_that_is_read_as_it_runs_is_caught(world: World) -> None:
    replace(world.project / SCRIPT, "main() {\n", "")
    replace(world.project / SCRIPT, "}\n\nmain; exit\n", "")
    commit(world.project, "Break the script")
    with pytest.raises(AssertionError):
        check_an_update(world)


# ---- The same on GitLab ------------------------------------------------------------------------


def update_on_gitlab(world: World, status: int = 0, **variables: str) -> str:
    return world.update(status, ".gitlab/update.sh", **(GITLAB | variables))


def merge_requests(world: World) -> list[tuple[str, str, dict[str, str]]]:
    """What GitLab was asked for: method, address, fields."""
    lines = (world.folder / "bin" / "asked").read_text().splitlines()
    return [(method, address, fields) for method, address, fields in map(json.loads, lines)]


def check_a_merge_request(world: World) -> None:
    """One is opened with what happened, and renewed by the next run."""
    requests = "https://gitlab.example.com/api/v4/projects/3/merge_requests"
    world.edit("README.md", README_THEN, "You need [uv](https://docs.astral.sh/uv/)")
    assert "https://gitlab.example.com/a/b/-/merge_requests/7\n" in update_on_gitlab(world)
    git(world.project, "switch", "--quiet", "main")
    update_on_gitlab(world)
    asked, opened, again, renewed = merge_requests(world)
    assert asked == again == ("GET", requests, {"state": "opened", "source_branch": BRANCH})
    assert opened[:2] == ("POST", requests)
    assert renewed == (
        "PUT",
        f"{requests}/7",
        {name: opened[2][name] for name in ("title", "description")},
    )
    assert opened[2]["title"] == "[conflicts] Update the template to 1.1.0"
    assert (opened[2]["source_branch"], opened[2]["target_branch"]) == (BRANCH, "main")
    assert "\n\n**Not finished.** In these files" in opened[2]["description"]
    assert "- `README.md`\n" in opened[2]["description"]
    assert "_commit: v1.1.0" in (world.pushed() / ".copier-answers.yml").read_text()


def check_no_token_on_gitlab(world: World) -> None:
    printed = update_on_gitlab(world, status=1, UPDATE_TOKEN="")
    assert "without a token in the variable UPDATE_TOKEN there is no merge request" in printed
    assert world.branches() == ["main"]


def check_a_refusal_of_gitlab(world: World) -> None:
    """In a sentence, with what GitLab says."""
    for method, sentence in (
        ("POST", 'GitLab refuses the merge request: {"message": "403 Forbidden"}'),
        ("GET", 'GitLab does not say which merge requests are open: {"message": "403 Forbidden"}'),
    ):
        (world.folder / "bin" / f"refuses {method}").touch()
        assert f"update.sh: {sentence}\n" in update_on_gitlab(world, status=1)
        git(world.project, "switch", "--quiet", "main")


def check_the_job(world: World) -> None:
    """It has the whole history, a branch, and a remote that takes the token; its name is not part of the log."""
    job = yaml.safe_load((world.project / ".gitlab-ci.yml").read_text())["update"]
    assert job["variables"] == {"GIT_DEPTH": 0}
    *_, last = job["script"]
    assert last == "bash .gitlab/update.sh"
    git(world.project, "switch", "--quiet", "--detach")
    before = {"CI_COMMIT_BRANCH": "main", "CI_PROJECT_PATH": "a/b"} | GITLAB
    script = "\n".join(job["script"][:-1])
    command = ["bash", "-eo", "pipefail", "-c", script]
    subprocess.run(command, cwd=world.project, check=True, env=os.environ | before)
    assert git(world.project, "branch", "--show-current") == "main"
    address = "https://oauth2:secret@gitlab.example.com/a/b.git"
    assert git(world.project, "remote", "get-url", "origin") == address


ON_GITLAB = (
    check_a_merge_request,
    check_no_token_on_gitlab,
    check_a_refusal_of_gitlab,
    check_the_job,
)


@pytest.mark.parametrize("check", ON_GITLAB, ids=lambda check: check.__name__)
def test_the_weekly_update_on_gitlab(on_gitlab: World, check: Callable[[World], None]) -> None:
    check(on_gitlab)


# As above; the first word is the file.
MUTANTS_ON_GITLAB = {
    "one more for each run": (
        ".gitlab/update.sh",
        '[ -n "$number" ]',
        "false",
        check_a_merge_request,
    ),
    "any merge request": (
        ".gitlab/update.sh",
        '--data "source_branch=$branch" "$requests") ||',
        '"$requests") ||',
        check_a_merge_request,
    ),
    "into another branch": (
        ".gitlab/update.sh",
        "target_branch=$base",
        "target_branch=$branch",
        check_a_merge_request,
    ),
    "a missing token is passed over": (
        ".gitlab/update.sh",
        '[ -n "${UPDATE_TOKEN:-}" ]',
        "true",
        check_no_token_on_gitlab,
    ),
    "a refusal without its words": (
        ".gitlab/update.sh",
        "merge request: $answer",
        "merge request",
        check_a_refusal_of_gitlab,
    ),
    "no branch": (
        ".gitlab-ci.yml",
        '    - git switch --quiet --force-create "$CI_COMMIT_BRANCH"\n',
        "",
        check_the_job,
    ),
    "another's token": (
        ".gitlab-ci.yml",
        "UPDATE_TOKEN:-none",
        "CI_JOB_TOKEN:-none",
        check_the_job,
    ),
}


@pytest.mark.parametrize("name", slices.taken(MUTANTS_ON_GITLAB))
def test_each_broken_update_on_gitlab_is_caught(on_gitlab: World, name: str) -> None:
    file, text, instead, check = MUTANTS_ON_GITLAB[name]
    replace(on_gitlab.project / file, text, instead)
    commit(on_gitlab.project, "Break it")
    with pytest.raises(AssertionError):
        check(on_gitlab)


def test_the_scripts_are_clean(pristine: Path, pristine_on_gitlab: Path) -> None:
    scripts = [str(pristine / SCRIPT), str(pristine_on_gitlab / ".gitlab/update.sh")]
    shellcheck = [str(Path(sys.executable).with_name("shellcheck")), *scripts]
    run = subprocess.run(shellcheck, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_workflow_runs_the_script_with_the_token_and_may_itself_only_read(
    pristine: Path,
) -> None:
    workflow = yaml.safe_load((pristine / ".github/workflows/update.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    last = job["steps"][-1]
    assert last["run"].splitlines()[-1] == f"bash {SCRIPT}"
    assert last["env"] == {"GH_TOKEN": "${{ secrets.UPDATE_TOKEN }}"}
    assert not [step for step in job["steps"][:-1] if "secrets." in str(step)]


# ---- The hook ----------------------------------------------------------------------------------

MARKERS = "a\n<<<<<<< before updating\nmine\n=======\ntheirs\n>>>>>>> after updating\n"


def tools() -> Mapping[str, str]:
    """An environment in which `uv run` finds this environment's tools, as a project's own would be found."""
    return os.environ | {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1"}


def attempt(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=project, env=tools(), capture_output=True, text=True, check=False
    )


@pytest.fixture
def hooked(world: World) -> Path:
    """A project in which the README's line has installed the hook."""
    (line,) = re.findall(
        r"^uv run pre-commit install\b", (world.project / "README.md").read_text(), re.MULTILINE
    )
    installed = attempt(world.project, *shlex.split(line))
    assert installed.returncode == 0, installed.stderr
    return world.project


def commit_file(project: Path, name: str, content: str) -> subprocess.CompletedProcess[str]:
    (project / name).write_text(content)
    git(project, "add", "--all")
    return attempt(project, "git", "commit", "--message", f"Add {name}")


REFUSED = {
    "markers": ("notes.md", MARKERS, "notes.md:2:<<<<<<< before updating"),
    "the last marker only": (
        "notes.md",
        ">>>>>>> after updating\n",
        "no merge marker is left to resolve",
    ),
    "a rejected change": ("notes.md.rej", "a\n", "no rejected change is left to apply"),
    "an unused import": ("src/myapi/new.py", "import os\n", "F401"),
    "other formatting": ("src/myapi/new.py", "x=1\n", "files were modified by this hook"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_hook_refuses(hooked: Path, what: str) -> None:
    name, content, says = REFUSED[what]
    run = commit_file(hooked, name, content)
    assert run.returncode == 1, run.stdout + run.stderr
    assert says in run.stdout + run.stderr
    assert git(hooked, "rev-list", "--count", "HEAD") == "1"


def test_the_hook_lets_pass_what_is_clean(hooked: Path) -> None:
    for name, content in {
        "notes.md": "A title\n=======\n\n    <<<<<<< quoted\n",
        "src/myapi/new.py": "X = 1\n",
    }.items():
        run = commit_file(hooked, name, content)
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_hook_refuses_markers_in_a_merge(hooked: Path) -> None:
    commit_file(hooked, "notes.md", "base\n")
    git(hooked, "switch", "--quiet", "--create", "other")
    commit_file(hooked, "notes.md", "theirs\n")
    git(hooked, "switch", "--quiet", "main")
    commit_file(hooked, "notes.md", "mine\n")
    assert attempt(hooked, "git", "merge", "other").returncode == 1
    git(hooked, "add", "--all")
    run = attempt(hooked, "git", "commit", "--no-edit")
    assert run.returncode == 1
    assert "notes.md:1:<<<<<<< HEAD" in run.stdout + run.stderr


def test_markers_pass_without_the_hook_that_refuses_them(hooked: Path) -> None:
    replace(hooked / ".pre-commit-config.yaml", "<<<<<<<|>>>>>>>", "(?!)")
    assert commit_file(hooked, "notes.md", MARKERS).returncode == 0


def test_ci_refuses_markers_that_were_committed_all_the_same(world: World) -> None:
    workflow = yaml.safe_load((world.project / ".github/workflows/ci.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    (command,) = (step for step in steps if "pre-commit" in step)
    clean = attempt(world.project, *shlex.split(command))
    assert clean.returncode == 0, clean.stdout
    (world.project / "notes.md").write_text(MARKERS)
    commit(world.project, "Markers")
    run = attempt(world.project, *shlex.split(command))
    assert run.returncode == 1
    assert "notes.md:2:<<<<<<< before updating" in run.stdout


def test_the_hook_fetches_nothing(pristine: Path) -> None:
    config = yaml.safe_load((pristine / ".pre-commit-config.yaml").read_text())
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {hook["language"] for hook in hooks} <= {"pygrep", "fail", "system"}


# ---- By hand, as README says -------------------------------------------------------------------


def update_by_hand(project: Path, *arguments: str) -> str:
    """What `copier update` prints, whether it succeeds or not."""
    command = f"{fast_copier.COMMAND} update --defaults"
    run = attempt(project, *command.split(), *arguments)
    return run.stdout + run.stderr


def troubles(project: Path) -> dict[str, str]:
    """Copier's sentence in README's table, and what Copier printed when it was provoked."""
    seen = {}
    update_by_hand(project)
    commit(project, "Update")
    printed = update_by_hand(project, "--vcs-ref=v1.0.0")
    seen["Downgrades are not supported."] = printed
    seen["Invalid choice"] = update_by_hand(project, "--vcs-ref=:current:", "--data", "auth=open")
    (project / "README.md").write_text("mine\n")
    seen["Destination repository is dirty; cannot continue."] = update_by_hand(project)
    shutil.rmtree(project / ".git")
    seen["Updating is only supported in git-tracked subprojects."] = update_by_hand(project)
    return seen


def test_each_trouble_in_readme_is_what_copier_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(world.folder))  # a repository around it
    readme = (world.project / "README.md").read_text()
    documented = set(
        re.findall(r"^\| `(.+?)` \|", readme.split("| Copier says |")[1], re.MULTILINE)
    )
    seen = troubles(world.project)
    assert documented == {*seen, "Unknown revision"}
    for sentence, printed in seen.items():
        assert sentence in printed, printed
    git(world.project, "init", "--quiet")
    commit(world.project, "As it is")
    assert "Keeping template version" in update_by_hand(world.project, "--vcs-ref=:current:")


def test_a_misspelt_or_hand_edited_answer_changes_nothing(world: World) -> None:
    update_by_hand(world.project, "--vcs-ref=:current:", "--data", "max_container=3")
    assert git(world.project, "status", "--porcelain") == ""
    replace(world.project / ".copier-answers.yml", "auth: proxy", "auth: none")
    commit(world.project, "Edit an answer")
    update_by_hand(world.project, "--vcs-ref=:current:")
    assert git(world.project, "status", "--porcelain") == ""


def test_a_project_moves_to_a_fork_and_keeps_what_is_its_own(world: World, releases: Path) -> None:
    fork = world.folder / "fork"
    git(world.folder, "clone", "--quiet", str(releases), str(fork))
    replace(fork / "includes/readme/watch.md", "## Watch it", "## Watch it, as we do")
    commit(fork, "Ours")
    git(fork, "tag", "v1.2.0")
    world.edit("README.md", "## What it costs", "## What it costs us")
    world.edit(".copier-answers.yml", f"_src_path: {releases}", f"_src_path: {fork}")
    update_by_hand(world.project)
    readme = (world.project / "README.md").read_text()
    assert "## Watch it, as we do" in readme
    assert "## What it costs us" in readme
    assert "_commit: v1.2.0" in (world.project / ".copier-answers.yml").read_text()
    assert f"_src_path: {fork}" in (world.project / ".copier-answers.yml").read_text()
    git(fork, "tag", "--delete", "v1.0.0")
    git(world.project, "reset", "--quiet", "--hard")
    assert "Unknown revision" in update_by_hand(world.project)
