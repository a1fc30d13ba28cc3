"""A newcomer's first minutes, with nothing but README: `python tests/newcomer.py` prints the time of each step.

The commands are README's own, to the letter. The only help is Git's: what they fetch from GitHub comes from a fresh clone
of this repository's last commit. Questions are answered by Enter, in a terminal, and uv has nothing in its cache.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import family
from projects import CALL, CALLER, free_port, local_server, send
from terminal import ENTER, terminal

MOST_SECONDS = 300.0
LEAST_QUESTIONS = 4
BLOCK = re.compile(r"^```bash\n(.+?)^```$", re.MULTILINE | re.DOTALL)  # of commands, in Markdown
SERVES, DEPLOYS = f"uv run {family.NAME}", "uv run modal deploy"
# What the newcomer changes: names in the starter, and in its test.
OLD, NEW = "second item", "second thing"
CHANGED = re.compile(r'(first|second) item"')


def main() -> None:
    took: dict[str, float] = {}

    def step(name: str, what: Callable[[], str]) -> None:
        started = time.monotonic()
        said = what()
        took[name] = time.monotonic() - started
        print(f"{took[name]:7.1f} s  {name}{': ' + said if said else ''}", flush=True)

    with tempfile.TemporaryDirectory(prefix="newcomer") as folder:
        place = Path(folder)
        clone = place / "modal-endpoints"
        environment = prepare(place, clone)
        copy, check = commands((clone / "README.md").read_text())
        project = place / family.NAME
        step(copy, lambda: answer_by_enter(copy, place, environment))
        step(check, lambda: passed(shell(check, place, environment)))
        step(SERVES, lambda: call(project, environment, OLD))
        step("a change in handlers.py", lambda: change(project))
        step("uv run pytest", lambda: passed(shell("uv run pytest", project, environment)))
        step(f"{SERVES}, changed", lambda: call(project, environment, NEW))
    total = sum(took.values())
    print(f"{total:7.1f} s  in all, {len(took)} steps; {MOST_SECONDS:g} s are the most")
    if total > MOST_SECONDS:
        sys.exit("a newcomer waits too long")


def prepare(place: Path, clone: Path) -> dict[str, str]:
    """Clone the last commit as a release, and return an environment in which that is the repository that README names."""
    subprocess.run(["git", "clone", "--quiet", str(family.ROOT), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "tag", "v999.0.0"], check=True)
    return isolate(place, clone) | {"UV_CACHE_DIR": str(place / "uv")}


def isolate(place: Path, repository: Path) -> dict[str, str]:
    """An environment in which `gh:org/modal-endpoints` is a repository of this machine."""
    environment = family.isolate(place / "home")
    settings = {
        f"url.{repository.as_uri()}.insteadOf": "https://github.com/org/modal-endpoints.git",
        "protocol.file.allow": "always",
    }
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


def commands(readme: str) -> list[str]:
    """What README has a newcomer type, up to the server."""
    lines = [line.partition(" #")[0].strip() for line in BLOCK.findall(readme)[0].splitlines()]
    assert len(lines) == 4, f"README's first commands are others now: {lines}"
    copy, check, serves, deploys = lines
    assert serves == SERVES, f"README serves by another command: {serves}"
    assert deploys.startswith(DEPLOYS), f"README deploys by another command: {deploys}"
    return [copy, check]


def answer_by_enter(command: str, place: Path, environment: Mapping[str, str]) -> str:
    """Run a command in a terminal of its own and press Enter at each question."""
    answered = 0
    with terminal(command, place, environment) as run:
        while run.settle():
            run.type(ENTER)
            answered += 1
        assert run.process.returncode == 0, run.printed[-3000:]
    assert answered >= LEAST_QUESTIONS, f"{answered} questions: {run.printed[-3000:]}"
    return f"{answered} questions"


def shell(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{command}:\n{run.stdout[-3000:]}{run.stderr[-3000:]}"
    return run.stdout


def passed(printed: str) -> str:
    found = re.findall(r"\d+ passed", printed)
    assert found, f"no test ran:\n{printed[-2000:]}"
    return str(found[-1])


def change(project: Path) -> str:
    """Change the starter, and what its test expects."""
    readme = (project / "README.md").read_text()
    yours = re.findall(r"^\| `(\S+)` \|", readme.partition("| yours |")[2], re.MULTILINE)
    for name in (f"src/{family.NAME}/handlers.py", "tests/test_handlers.py"):
        assert name in yours, f"README does not call {name} the owner's: {yours}"
        text = (project / name).read_text()
        changed, count = CHANGED.subn(r'\1 thing"', text)
        assert count, f"{name} names no item"
        (project / name).write_text(changed)
    return f"{OLD} is {NEW} now"


def call(project: Path, environment: Mapping[str, str], expected: str) -> str:
    """Serve it, and make the documented request in whose answer that stands."""
    calls = CALL.finditer((project / "README.md").read_text())
    (documented,) = [each for each in calls if each["answer"] and OLD in each["answer"]]
    command = [*SERVES.split(), "--port", str(free_port())]
    with local_server(command, project, environment) as (url, _):
        status, body = send(documented["command"], {**environment, **CALLER, "URL": url})
    assert status == 200, f"{status}: {body}"
    assert json.loads(body) == json.loads(documented["answer"].replace(OLD, expected)), body
    return body


if __name__ == "__main__":
    main()
