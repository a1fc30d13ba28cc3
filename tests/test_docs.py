"""Every command in README and docs is run, or says what it needs that is not here."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

import family
import fast_copier
import newcomer
from newcomer import BLOCK

# Languages of blocks: no other holds commands.
LANGUAGES = {"bash", "yaml", "python", "jinja", "diff"}
NEEDS = "# needs "
PAGES = {
    page.name if page.parent == family.ROOT else f"docs/{page.name}": page.read_text()
    for page in (family.ROOT / "README.md", *sorted((family.ROOT / "docs").glob("*.md")))
}
# Blocks of README that another proof runs: its first, line by line, and two by their words.
ELSEWHERE = {
    BLOCK.findall(PAGES["README.md"])[0]: "newcomer.py",
    "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s try\n": "test_try.py",
    "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox\n": "../.ci/run",
}
LEAST_COMMANDS = 9
STYLES = sorted((family.ROOT / "styles").glob("*.yml"))


def blocks(pages: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Page and text of each block that is run here."""
    for page, content in pages.items():
        fences = re.findall(r"^ *```(.*)$", content, re.MULTILINE)[::2]
        assert set(fences) <= LANGUAGES, (
            f"{page}: blocks of another kind: {set(fences) - LANGUAGES}"
        )
        for text in BLOCK.findall(content):
            if not text.startswith(NEEDS) and text not in ELSEWHERE:
                yield page, text


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_what_another_proof_runs_is_run_there() -> None:
    check_elsewhere(PAGES["README.md"])


@pytest.mark.parametrize(
    ("text", "instead"),
    [("   # needs an account at Modal\n", "\n"), ("/bin/nox -s try\n", "/bin/nox -s try\nls\n")],
    ids=["a command without its mark", "a line more"],
)
def test_another_readme_is_noticed(text: str, instead: str) -> None:
    assert text in PAGES["README.md"]
    with pytest.raises(AssertionError):
        check_elsewhere(PAGES["README.md"].replace(text, instead))


def check_elsewhere(readme: str) -> None:
    for block, proof in ELSEWHERE.items():
        assert f"```bash\n{block}```\n" in readme, f"{proof} runs what README has no more"
        assert (family.ROOT / "tests" / proof).exists()
    # All of them but this one.
    assert "uv run modal deploy -m myapi.modal_app   # needs an account at Modal\n" in readme


def test_what_is_not_run_says_why() -> None:
    found = [text for page in PAGES.values() for text in BLOCK.findall(page)]
    marked = [text for text in found if re.search(f"^{NEEDS}", text, re.MULTILINE)]
    assert len(marked) >= 4
    for text in marked:
        assert re.match(r"# needs (an account at Modal|the fork)\n", text), text


def test_who_may_call_is_what_each_style_offers() -> None:
    rows = re.findall(r"^\| (`.*`) \|.*\| ([a-z, ]+) \|$", PAGES["docs/choosing.md"], re.MULTILINE)
    said = {
        kind: auth.split(", ")
        for kinds, auth in rows
        for kind in re.findall(r"`(?:task=)?(\w+)`", kinds)
    }
    assert said == {path.stem: yaml.safe_load(path.read_text())["auth"] for path in STYLES}


def test_there_are_commands_to_run() -> None:
    found = {command for _, text in blocks(PAGES) for command in commands(text)}
    print(f"{len(found)} distinct commands")
    assert len(found) >= LEAST_COMMANDS


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One in which the working tree is the newest release of the repository that README names."""
    place = tmp_path_factory.mktemp("docs")
    repository = family.export(place / "modal-endpoints")
    variables = newcomer.isolate(place, repository)
    shims = place / "shims"
    shims.mkdir()
    # What uvx would install is installed.
    for name, command in {"uvx": "", "copier": fast_copier.COMMAND}.items():
        (shims / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (shims / name).chmod(0o755)
    variables["PATH"] = f"{shims}:{variables['PATH']}"
    commit(repository, variables)
    git = ("git", "-C", str(repository))
    subprocess.run([*git, "tag", "v999.0.0"], env=variables, check=True)
    return variables


@pytest.fixture(scope="module")
def project(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    run("copier copy --defaults gh:org/modal-endpoints myapi", folder, environment)
    commit(folder / family.NAME, environment)
    return folder / family.NAME


@pytest.mark.parametrize(("page", "text"), list(blocks(PAGES)))
def test_what_stands_there_works(
    project: Path, environment: dict[str, str], tmp_path: Path, page: str, text: str
) -> None:
    follow(text, shutil.copytree(project, tmp_path / family.NAME), environment)


def follow(text: str, own: Path, environment: dict[str, str]) -> None:
    """Give the commands of a block in a project, one by one."""
    for command in commands(text):
        if command.startswith("uvx copier copy"):  # of one that is not there yet
            shutil.rmtree(own)
            run(command, own.parent, environment)
        else:
            if command.startswith("uvx copier update"):  # of what is committed
                commit(own, environment)
            run(command, own, environment)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            "```bash\nuvx copier update --vcs-ref=:current: --data max_containers=-1\n```\n",
            "max_container",
        ),
        ("```bash\nuv run modal deploy -m myapi.modal_app\n```\n", "modal"),
        ("```sh\nuv lock\n```\n", "of another kind"),
        ("1. First\n\n   ```bash account\n   uv lock\n   ```\n", "of another kind"),
    ],
    ids=["a wrong answer", "an account, unsaid", "another language", "a fence with more"],
)
def test_a_wrong_page_is_noticed(
    project: Path, environment: dict[str, str], tmp_path: Path, page: str, said: str
) -> None:
    own = shutil.copytree(project, tmp_path / family.NAME)

    def follow_all() -> None:
        for _, text in blocks({"page": page}):
            follow(text, own, environment)

    with pytest.raises(AssertionError, match=said):
        follow_all()


def run(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Run a line as a reader does, who takes each default."""
    line = re.sub(r"\bcopier (update|copy)\b(?!.*--defaults)", r"copier \1 --defaults", command)
    newcomer.shell(line, folder, environment)


def commit(folder: Path, environment: dict[str, str]) -> None:
    for arguments in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("commit", "--quiet", "--allow-empty", "-mx"),
    ):
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True)
