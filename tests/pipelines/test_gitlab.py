"""The jobs of .gitlab-ci.yml: which a pipeline has, by GitLab's own rules, and what their scripts do."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import family
import slices
from pipelines.world import MODAL_TOKEN, Run, World, Worlds, commit_of

FILE = ".gitlab-ci.yml"
DEFAULT = {"CI_DEFAULT_BRANCH": "main", "CI_PROJECT_ID": "1"}
PUSH = DEFAULT | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}
SCHEDULE = PUSH | {"CI_PIPELINE_SOURCE": "schedule"}
REQUEST = DEFAULT | {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "17",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
}
SET_UP = {"DEPLOY_FROM_CI": "yes", "PREVIEW_FROM_CI": "yes"}
SECRETS = MODAL_TOKEN | {"SMOKE_TOKEN": "right"}
PREVIEW_SECRETS = {"API_TOKENS": "ann:right", "DJANGO_SECRET_KEY": "k" * 50}
Variables = Mapping[str, str]


# ---- As GitLab reads it ------------------------------------------------------------------------


def jobs(world: World) -> dict[str, dict[str, Any]]:
    """Each job with what it extends and the defaults: https://docs.gitlab.com/ci/yaml/#extends."""
    document = yaml.safe_load((world.project / FILE).read_text())
    default = document.pop("default")
    top = {name: document.pop(name) for name in ("stages", "workflow", "variables")}
    found = {}
    for name, job in document.items():
        base = document[job["extends"]] if "extends" in job else {}
        whole = {**default, **base, **job}
        whole["variables"] = top["variables"] | base.get("variables", {}) | job.get("variables", {})
        assert whole.get("stage", "test") in top["stages"]
        if not name.startswith("."):
            found[name] = whole
    return found


def holds(condition: str, known: Variables) -> bool:
    """What `rules:if` makes of it; a variable that is not set equals none that is."""

    def value(word: str) -> str | None:
        return known.get(word[1:]) if word.startswith("$") else word.strip('"')

    result = True
    for part in condition.split(" && "):
        comparison = re.fullmatch(r"(\$\w+) (==|!=) (\$\w+|\"\w+\")", part)
        assert comparison, f"this test does not know: {part}"
        left, operator, right = comparison.groups()
        result = result and (value(left) == value(right)) == (operator == "==")
    return result


def decided(rules: list[dict[str, Any]], known: Variables, changed: str) -> str:
    """When a job runs; `never` where no rule holds."""
    for rule in rules:
        if holds(rule["if"], known) if "if" in rule else changed in rule["changes"]:
            return str(rule.get("when", "on_success"))
    return "never"


def pipeline(world: World, known: Variables, changed: str = "README.md") -> dict[str, str]:
    """The jobs of a pipeline, and when each runs; none where there is no pipeline at all."""
    document = yaml.safe_load((world.project / FILE).read_text())
    if not any(holds(rule["if"], known) for rule in document["workflow"]["rules"]):
        return {}
    when = {name: decided(job["rules"], known, changed) for name, job in jobs(world).items()}
    return {name: decision for name, decision in when.items() if decision != "never"}


def run(world: World, name: str, known: Variables) -> Run:
    """Run the script of a job as a runner does, in one shell, with its variables beneath those of the project."""
    job = jobs(world)[name]
    place = {"CI_ENVIRONMENT_NAME": job.get("environment", {}).get("name", "")}
    variables = {key: str(value) for key, value in job["variables"].items()}
    script = "\n".join([*job["before_script"], *job["script"]])
    done = world.run(script, variables | place | dict(known))
    file = world.project / "deployment.env"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return Run(done.status, done.printed, "", dict(line.split("=", 1) for line in lines))


# ---- Checks ------------------------------------------------------------------------------------


def check_nothing_set_up(worlds: Worlds) -> None:
    """Only checks, and none for a branch without a merge request."""
    world = worlds("gitlab")
    assert pipeline(world, PUSH) == {"test": "on_success"}
    assert pipeline(world, REQUEST) == {"test": "on_success"}
    assert pipeline(world, PUSH | {"CI_COMMIT_BRANCH": "topic"}) == {}


def check_what_is_set_up(worlds: Worlds) -> None:
    """Staging at once, production when somebody starts it; a preview of each merge request, which ends by itself."""
    world = worlds("gitlab")
    automatic, manual = "on_success", "manual"
    push, request = pipeline(world, PUSH | SET_UP), pipeline(world, REQUEST | SET_UP)
    assert push == {"test": automatic, "staging": automatic, "production": manual}
    assert request == {"test": automatic, "preview": automatic, "end-preview": manual}
    found = jobs(world)
    stages = yaml.safe_load((world.project / FILE).read_text())["stages"]
    order = [stages.index(found[name]["stage"]) for name in ("test", "staging", "production")]
    assert order == sorted(set(order))
    assert not any("needs" in found[name] for name in ("staging", "production"))
    # A job that somebody must start blocks, so that its failure is the pipeline's; the end of a preview blocks nothing.
    assert not any(rule.get("allow_failure") for rule in found["production"]["rules"])
    assert all(rule["allow_failure"] for rule in found["end-preview"]["rules"])
    preview, end = found["preview"], found["end-preview"]
    assert preview["environment"].get("on_stop") == "end-preview"
    assert end["environment"] == {"name": preview["environment"]["name"], "action": "stop"}
    assert preview["resource_group"] == end["resource_group"]
    for name in ("staging", "production", "preview"):
        assert found[name]["environment"]["url"] == "$url"
        assert found[name]["artifacts"] == {
            "reports": {"dotenv": found[name]["variables"]["OUTPUT_FILE"]}
        }
    for name in ("staging", "production", "preview", "end-preview"):
        assert found[name]["interruptible"] is False
        assert found[name].get("resource_group"), name


def check_no_fork(worlds: Worlds) -> None:
    """Its code never meets a secret, whoever starts the pipeline."""
    fork = REQUEST | SET_UP | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}
    assert pipeline(worlds("gitlab"), fork) == {"test": "on_success"}


def check_each_week(worlds: Worlds) -> None:
    """The audit and the update, and no deployment. The audit of a new lock too; it stops nothing."""
    world = worlds("gitlab")
    weekly = {"audit": "on_success", "update": "on_success"}
    assert pipeline(world, SCHEDULE | SET_UP) == weekly
    assert "audit" in pipeline(world, REQUEST, changed="uv.lock")
    assert jobs(world)["audit"]["allow_failure"] is True
    assert run(world, "audit", SCHEDULE).status == 0
    calls = (world.folder / "uv.calls").read_text().splitlines()
    assert calls == ["audit --frozen --preview-features audit-command"]


def check_a_deployment(worlds: Worlds) -> None:
    """Deployed by its commit, asked, and said to GitLab; production to its own Environment."""
    world = worlds("gitlab")
    for stage, environment, strategy in (
        ("staging", "staging", "recreate"),
        ("production", "main", "rolling"),
    ):
        done = run(world, stage, PUSH | SET_UP | SECRETS)
        assert done.status == 0, done.printed
        assert done.outputs == {"deployed": "true", "url": world.site.url}
        where = f"--env {environment} --tag {commit_of(world)} --strategy {strategy}"
        assert world.calls()[-1] == f"deploy -m myapi.modal_app {where}"
        assert f"Deployed {commit_of(world)[:12]} to {stage}" in done.printed


def check_failures(worlds: Worlds) -> None:
    """A smoke test that fails is rolled back; what fails is red and says why; a lost variable is an error."""
    world = worlds("gitlab")
    world.site.first = [500]
    done = run(world, "staging", PUSH | SET_UP | SECRETS)
    assert done.status == 1
    assert "Rolled back to v8" in done.printed
    world.answers["deploy"] = (1, "no such Secret")
    done = run(world, "staging", PUSH | SET_UP | SECRETS)
    assert done.status == 1
    assert "`modal deploy` failed" in done.printed
    before = world.calls()
    done = run(world, "staging", PUSH | SET_UP)
    assert done.status == 1
    assert (
        "Nothing was deployed: MODAL_TOKEN_ID, MODAL_TOKEN_SECRET, SMOKE_TOKEN is not set"
        in done.printed
    )
    assert world.calls() == before


def check_a_preview(worlds: Worlds) -> None:
    """Made, linked and deleted."""
    world = worlds("gitlab")
    known = REQUEST | SET_UP | SECRETS | {"PREVIEW_SECRETS": json.dumps(PREVIEW_SECRETS)}
    done = run(world, "preview", known)
    assert done.status == 0, done.printed
    assert "environment create myapi-pr-17" in world.calls()
    assert done.outputs == {"url": world.site.url}
    assert world.plane.scaling == [(0, 1, 0)]
    world.environments("main", "myapi-pr-17")
    assert run(world, "end-preview", known).status == 0
    assert world.calls()[-1] == "environment delete myapi-pr-17 --yes"


def check_each_push(worlds: Worlds) -> None:
    """Lock, style, types and tests; the tests on the lowest Python too, where that is another."""
    lowest = "run --isolated --locked --python 3.11 pytest"
    for kind, more in (("gitlab", [lowest]), ("gitlab, lowest", [])):
        world = worlds(kind)
        done = run(world, "test", PUSH)
        assert done.status == 0, done.printed
        calls = (world.folder / "uv.calls").read_text().splitlines()
        assert [call for call in calls if "ci.project" not in call] == [
            "sync --locked",
            "run pre-commit run --all-files --show-diff-on-failure",
            "run mypy",
            "run pytest",
            *more,
        ]
        (world.folder / "red").touch()
        assert run(world, "test", PUSH).status == 1


def check_the_same_uv(worlds: Worlds) -> None:
    """Each job installs the one that the image has."""
    world = worlds("gitlab")
    image = (family.ROOT / "includes/image.py.jinja").read_text()
    (version,) = re.findall('uv_version="(.+?)"', image)
    run(world, "audit", SCHEDULE)
    installed = (world.folder / "pip.calls").read_text()
    assert installed == f"install --quiet --root-user-action=ignore uv=={version}\n"


def check_no_secret_in_the_file(worlds: Worlds) -> None:
    """Only the scripts read secrets, from their environment; the one that a remote needs stays in its job."""
    text = (worlds("gitlab").project / FILE).read_text()
    for name in (*MODAL_TOKEN, "SMOKE_TOKEN", "PREVIEW_SECRETS"):
        assert name not in text
    assert text.count("UPDATE_TOKEN") == 1


def check_schema(worlds: Worlds) -> None:
    """By GitLab's own schema, which check-jsonschema brings."""
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    file = str(worlds("gitlab").project / FILE)
    command = [program, "--builtin-schema=vendor.gitlab-ci", "--data-transform=gitlab-ci", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def check_no_trace_of_github(worlds: Worlds) -> None:
    """Nor of GitLab where GitHub was chosen; links to projects that live there are none."""
    for kind, other in (("gitlab", "github"), ("bearer", "gitlab")):
        project = worlds(kind).project
        for path in project.rglob("*"):
            name = path.relative_to(project).as_posix()
            if path.is_file() and not name.startswith((".git/", ".copier-answers")):
                assert other not in name.lower()
                text = re.sub(r"https://(docs\.)?github\.com/\S+", "", path.read_text())
                assert other not in text.lower(), f"{name} speaks of {other}"


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_pipeline(worlds: Worlds, check: Callable[[Worlds], None]) -> None:
    check(worlds)


# What is broken: (file, text in it, text instead, the check that shows it)
MUTANTS: Mapping[str, tuple[str, str, str, Callable[[Worlds], None]]] = {
    "deploys unasked": (FILE, '$DEPLOY_FROM_CI == "yes" && ', "", check_nothing_set_up),
    "deploys every branch": (
        FILE,
        "    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n      auto_cancel:",
        '    - if: $CI_PIPELINE_SOURCE == "push"\n      auto_cancel:',
        check_nothing_set_up,
    ),
    "production at once": (
        FILE,
        "      when: manual\n  resource_group: production",
        "  resource_group: production",
        check_what_is_set_up,
    ),
    "production before staging": (
        FILE,
        "[test, staging, production",
        "[test, production, staging",
        check_what_is_set_up,
    ),
    "two at once": (FILE, "  resource_group: staging\n", "", check_what_is_set_up),
    "broken off": (FILE, "interruptible: false", "interruptible: true", check_what_is_set_up),
    "no link": (
        FILE,
        "      dotenv: deployment.env",
        "      dotenv: other.env",
        check_what_is_set_up,
    ),
    "never deleted": (FILE, "    on_stop: end-preview\n", "", check_what_is_set_up),
    "forks": (FILE, " && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID", "", check_no_fork),
    "no audit": (FILE, "    - changes: [uv.lock]\n", "", check_each_week),
    "deploys each week": (FILE, ' && $CI_PIPELINE_SOURCE != "schedule"', "", check_each_week),
    "a lock that is resolved anew": (FILE, "--frozen", "--upgrade", check_each_week),
    "an audit that stops all": (
        FILE,
        "allow_failure: true\n  script",
        "allow_failure: false\n  script",
        check_each_week,
    ),
    "one stage for all": (FILE, '"$CI_ENVIRONMENT_NAME"', "staging", check_a_deployment),
    "nothing is kept": (
        "ci/report.py",
        'environ.get("OUTPUT_FILE")',
        'environ.get("OUTPUT")',
        check_a_deployment,
    ),
    "nothing is said": ("ci/report.py", "print(text, flush=True)", "pass", check_failures),
    "a preview that stays": (FILE, "preview down", "preview up", check_a_preview),
    "untyped": (FILE, "    - uv run mypy\n", "", check_each_push),
    "the same twice": (FILE, '[ "$lowest" = "$UV_PYTHON" ] ||', "", check_each_push),
    "another uv": (FILE, "uv==", "uv>=", check_the_same_uv),
    "a secret in the file": (
        FILE,
        "    OUTPUT_FILE: ",
        "    TOKEN: $MODAL_TOKEN_ID\n    OUTPUT_FILE: ",
        check_no_secret_in_the_file,
    ),
    "a keyword that is not there": (
        FILE,
        "resource_group: staging",
        "resources: staging",
        check_schema,
    ),
    "a word of another": (
        FILE,
        "# Needs no secret",
        "# As on GitHub: needs no secret",
        check_no_trace_of_github,
    ),
}


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_broken_pipeline_is_caught(worlds: Worlds, name: str) -> None:
    path, text, instead, check = MUTANTS[name]

    def broken(kind: str) -> World:
        world = worlds(kind)
        if kind.startswith("gitlab"):
            file = world.project / path
            content = file.read_text()
            if text not in content:
                raise ValueError(f"{path} does not hold: {text}")
            file.write_text(content.replace(text, instead))
        return world

    with pytest.raises(AssertionError):
        check(broken)
