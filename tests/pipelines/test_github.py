"""The steps of the workflows, each job with the environment that it declares."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

import family
import slices
from pipelines.world import (
    MODAL_TOKEN,
    PATIENCE,
    TOKENS,
    World,
    Worlds,
    commit_of,
    holds,
    parsed_by_the_client,
)

# ---- Deployments -------------------------------------------------------------------------------


def check_success(worlds: Worlds, kind: str = "proxy") -> None:
    """Deployed by its commit, asked with the credentials of its kind, closed to strangers, and said."""
    world = worlds(kind)
    run = world.deploy()
    assert run.status == 0, run.printed
    assert run.outputs == {"deployed": "true", "url": world.site.url}
    environment = ["--env", "staging", "--tag", commit_of(world), "--strategy", "recreate"]
    assert world.calls() == [" ".join(["deploy", "-m", "myapi.modal_app", *environment])]
    assert world.plane.asked[-1][0] == "staging"
    assert f"Deployed {commit_of(world)[:12]} to staging" in run.page
    tests = (world.folder / "uv.calls").read_text().splitlines()
    assert tests.index("sync --locked") < tests.index("run pytest")
    if world.auth == "login":
        assert world.site.seen.count(("POST", "/login")) == 2
    assert world.site.seen.count(("GET", "/")) == (2 if world.auth in {"proxy", "bearer"} else 0)


def check_production(worlds: Worlds) -> None:
    """It goes where what was deployed by hand is, and the containers of the version before work on."""
    world = worlds("bearer")
    assert world.deploy("production").status == 0
    (call,) = world.calls()
    assert call.endswith(f"--env main --tag {commit_of(world)} --strategy rolling")


def check_no_tests_no_deployment(worlds: Worlds) -> None:
    world = worlds("none")
    (world.folder / "red").touch()
    assert world.deploy().status == 1
    assert world.calls() == []


def check_cold_start(worlds: Worlds) -> None:
    """503, no answer, an edge that does not know it yet, and a redirect to the result: waited for."""
    world = worlds("none")
    world.site.first = [503, "edge", "redirect", "redirect"]
    run = world.deploy()
    assert run.status == 0, run.printed
    assert len(world.site.seen) == 5
    world = worlds("bearer")
    world.site.first = ["silent", *["redirect"] * 12]
    assert world.deploy().status == 0


def check_credentials_stay_at_home(worlds: Worlds) -> None:
    """What is redirected to another host is asked there without them."""
    world = worlds("bearer")
    world.site.first = ["away"]
    world.deploy()
    assert world.site.strangers == ["", ""]


def check_failed_smoke(worlds: Worlds) -> None:
    """Back to the version before, which is asked too; red, and all of it said in one place."""
    for first, words in ((500, "/ready answered 500, not 200"), (401, "/ready answered 401")):
        world = worlds("none" if first == 500 else "proxy")
        world.site.first = [first]
        run = world.deploy()
        assert run.status == 1
        assert run.outputs == {"url": world.site.url}
        history, rollback = world.calls()[1:]
        assert history == "app history myapi --env staging --json"
        assert rollback == "app rollback myapi v8 --env staging --strategy recreate"
        assert f"Deployed {commit_of(world)[:12]} to staging" in run.page
        assert f"the smoke test failed: {words}" in run.page
        assert "Rolled back to v8 (0123456789ab): /ready answered 200" in run.page


def check_a_door_that_is_open(worlds: Worlds) -> None:
    for kind, words in (
        ("bearer", "without credentials"),
        ("proxy", "without"),
        ("login", "wrong"),
    ):
        world = worlds(kind)
        world.site.open = True
        run = world.deploy()
        assert run.status == 1, kind
        assert words in run.page


def check_never_up(worlds: Worlds) -> None:
    """Its patience ends, at a redirect without end as well; production says what may hold up a rolling start."""
    for always, words in ((503, "it answered 503"), ("silent", "there was no answer")):
        world = worlds("none")
        world.site.always = always
        run = world.deploy("production")
        assert run.status == 1
        assert f"was not up after {PATIENCE} s; at the end {words}" in run.page
        assert "max_containers" in run.page
        assert "which fails the smoke test too" in run.page
    world.site.always = "redirect"
    assert "answered 303" in world.deploy().page


def check_refused_rollback(worlds: Worlds) -> None:
    """Why, as far as Modal's words show it, and what brings the version before back."""
    for said, words in (
        ("Rollbacks are not included in your plan", "part of the Team plan"),
        ("at max_containers=1, cannot start", "--strategy recreate` ends them first"),
        ("│ Out of luck │\n╰───╯", "refused: Out of luck"),
    ):
        world = worlds("none")
        world.answers["app rollback"] = (1, said)
        world.site.first = [500]
        run = world.deploy()
        assert run.status == 1
        assert words in run.page
        assert "the rollback to v8 was refused" in run.page
        assert "`git checkout 0123456789abcdef && uv run python -m ci.deploy staging`" in run.page
        assert "Rolled back" not in run.page


def check_nothing_to_go_back_to(worlds: Worlds) -> None:
    world = worlds("none")
    world.versions("now")
    world.site.always = 500
    run = world.deploy()
    assert run.status == 1
    assert "it is the first there" in run.page
    assert not [call for call in world.calls() if "rollback" in call]
    world.answers["app history"] = (1, "no connection")
    assert "does not say what ran before: no connection" in world.deploy().page


def check_failed_deploy(worlds: Worlds) -> None:
    """Nothing changed, so nothing is rolled back, and nobody is asked."""
    world = worlds("proxy")
    world.answers["deploy"] = (1, "│ Secret 'myapi' not found │")
    run = world.deploy()
    assert run.status == 1
    assert len(world.calls()) == 1
    assert "what ran there before still runs. It said: Secret 'myapi' not found" in run.page
    assert world.site.seen == []


def check_modal_does_not_answer(worlds: Worlds) -> None:
    """A sentence, not a traceback: it is deployed, and was not asked."""
    world = worlds("none")
    world.plane.refusals = {"FunctionGet": "Not found"}
    run = world.deploy()
    assert run.status == 1
    assert "Traceback" not in run.printed
    assert "Modal does not say where myapi answers in staging: Not found" in run.page
    world.plane.refusals = {"FunctionUpdateSchedulingParams": "Not allowed"}
    assert world.preview().status == 1
    assert "does not set max_containers of myapi" in world.comments()[1][1]


def check_nothing_set_up(worlds: Worlds) -> None:
    """A newcomer's push is green, says in one line what to set, and asks nobody to approve anything."""
    world = worlds("proxy")
    nothing = {f"secrets.{name}": "" for name in (*MODAL_TOKEN, "SMOKE_TOKEN")}
    run = world.deploy(**nothing)
    assert run.status == 0, run.printed
    assert run.outputs == {"deployed": "false"}
    assert run.page.startswith("Nothing was deployed, as nothing is set up yet: set MODAL_TOKEN_ID")
    assert len(run.page.splitlines()) == 2
    assert world.calls() == []
    jobs = yaml.safe_load((world.project / ".github/workflows/deploy.yml").read_text())["jobs"]
    assert jobs["production"]["needs"] == "staging"
    assert jobs["production"]["if"] == "needs.staging.outputs.deployed == 'true'"
    assert jobs["staging"]["outputs"]["deployed"] == "${{ steps.deploy.outputs.deployed }}"


def check_a_lost_secret(worlds: Worlds) -> None:
    """A part of them fails and names the rest; so does none, where all was set up once."""
    world = worlds("proxy")
    for missing in (*MODAL_TOKEN, "SMOKE_TOKEN"):
        run = world.deploy(**{f"secrets.{missing}": ""})
        assert run.status == 1
        assert f"Nothing was deployed: {missing} is not set." in run.page
    nothing = {f"secrets.{name}": "" for name in (*MODAL_TOKEN, "SMOKE_TOKEN")}
    assert world.deploy(**nothing, **{"vars.DEPLOY_FROM_CI": "yes"}).status == 1
    assert world.deploy("production", **nothing).status == 1
    assert world.calls() == []


def check_a_laptop(worlds: Worlds) -> None:
    """No token of CI is asked for where somebody is signed in; a caller's is."""
    world = worlds("proxy")
    command = "uv run python -m ci.deploy staging"
    signed_in = world.folder / "modal.toml"
    signed_in.write_text('[me]\ntoken_id = "id"\ntoken_secret = "secret"\nactive = true\n')
    laptop = {"CI": "", "MODAL_CONFIG_PATH": str(signed_in), "SMOKE_TOKEN": TOKENS["proxy"]}
    run = world.run(command, laptop)
    assert run.status == 0, run.printed
    run = world.run(command, laptop | {"SMOKE_TOKEN": ""})
    assert run.status == 1
    assert "SMOKE_TOKEN is not set" in run.printed
    run = world.run(f"uv run python -m ci.smoke {world.site.url}", {"SMOKE_TOKEN": "wrong"})
    assert run.status == 1
    assert "The smoke test failed: /ready answered 401" in run.printed


# ---- Previews ----------------------------------------------------------------------------------


def check_a_preview(worlds: Worlds) -> None:
    """Made, renewed and deleted, with one comment all the while."""
    world = worlds("none")
    run = world.preview("opened")
    assert run.status == 0, run.printed
    calls = world.calls()
    assert calls[1] == "environment create myapi-pr-17"
    assert calls[2].startswith("deploy -m myapi.modal_app --env myapi-pr-17 --tag ")
    assert world.plane.scaling == [(0, 1, 0)]
    assert {where for where, _ in world.plane.asked} == {"myapi-pr-17"}
    mine, comment = world.comments()
    assert mine == ["User", "<!-- preview --> mine"]
    assert comment[1].startswith(f"<!-- preview -->\n{world.site.url} has {commit_of(world)[:12]}")
    world.environments("main", "myapi-pr-17")
    world.site.first = [500]
    run = world.preview("synchronize")
    assert run.status == 1
    assert "environment create myapi-pr-17" not in world.calls()[len(calls) :]
    assert "fails the smoke test: /ready answered 500" in world.comments()[1][1]
    run = world.preview("closed")
    assert run.status == 0
    assert world.calls()[-1] == "environment delete myapi-pr-17 --yes"
    assert len(world.comments()) == 2
    assert "The preview is deleted" in world.comments()[1][1]
    world.environments("main")
    assert world.preview("closed").page == ""


def check_a_preview_that_is_capped(worlds: Worlds) -> None:
    """A class is one thing more to the client."""
    world = worlds("login")
    run = world.preview(**{"secrets.PREVIEW_SECRETS": '{"LOGIN_USERS": "ann:right:er"}'})
    assert run.status == 0, run.printed
    assert world.plane.scaling == [(0, 1, 0)]


def check_a_modal_server(worlds: Worlds) -> None:
    """Its URL and its scaling are asked of Modal by other calls than a function's."""
    world = worlds("server")
    run = world.deploy()
    assert run.status == 0, run.printed
    assert run.outputs == {"deployed": "true", "url": world.site.url}
    assert world.plane.asked[-1] == ("staging", "Server")
    run = world.preview(**{"secrets.PREVIEW_SECRETS": '{"API_TOKENS": "ann:right"}'})
    assert run.status == 0, run.printed
    assert world.plane.scaling == [(0, 1, 0)]
    world.site.url = ""
    run = world.deploy()
    assert run.status == 1
    assert "Modal does not say where myapi answers in staging" in run.page


def check_secrets_of_a_preview(worlds: Worlds) -> None:
    """Those that the project needs go into its Modal Secret, by a file that only its owner reads, and nowhere else."""
    world = worlds("django")
    given = {"API_TOKENS": "ann:right", "DJANGO_SECRET_KEY": "k" * 50, "OTHER": "spare"}
    run = world.preview(**{"secrets.PREVIEW_SECRETS": json.dumps(given)})
    assert run.status == 0, run.printed
    (note,) = [note for note in world.notes() if note["arguments"][:2] == ["secret", "create"]]
    assert note["file"] == {name: given[name] for name in ("API_TOKENS", "DJANGO_SECRET_KEY")}
    assert note["mode"] == "0o600"
    assert "--force" in note["arguments"]
    assert not Path(note["arguments"][note["arguments"].index("--from-json") + 1]).exists()
    said = run.printed + "".join(world.calls()) + str(world.comments())
    assert "ann:right" not in said
    for wrong in ("{", "[]", '{"API_TOKENS": "ann:right"}'):
        run = world.preview(**{"secrets.PREVIEW_SECRETS": wrong})
        assert run.status == 1
        assert "PREVIEW_SECRETS must be a JSON object with these keys" in run.page
        assert "ann:right" not in run.printed


def check_a_model(worlds: Worlds) -> None:
    """The Volume is filled before the deployment; if it cannot be, the comment says why."""
    world = worlds("inference")
    assert world.preview().status == 0
    words = [" ".join(note["arguments"]) for note in world.notes()]
    assert words[2] == "run -m myapi.modal_app::download_model --env myapi-pr-17"
    assert words[3].startswith("deploy ")
    world.answers["run"] = (1, "no space left")
    run = world.preview()
    assert run.status == 1
    assert "No preview of" in world.comments()[-1][1]
    assert "no space left" in world.comments()[-1][1]


def check_a_preview_that_is_not_set_up(worlds: Worlds) -> None:
    world = worlds("none")
    run = world.preview(**{f"secrets.{name}": "" for name in MODAL_TOKEN})
    assert run.status == 0
    assert world.calls() == []
    assert world.comments() == []
    run = world.preview(**{"secrets.MODAL_TOKEN_ID": ""})
    assert run.status == 1
    assert "MODAL_TOKEN_ID is not set" in world.comments()[1][1]


def check_no_fork(worlds: Worlds) -> None:
    """Its code never meets a secret: only pull requests of this repository have a preview."""
    workflow = worlds("none").project / ".github/workflows/preview.yml"
    document = yaml.safe_load(workflow.read_text())
    assert set(document[True]) == {"pull_request"}  # `on`, to YAML
    for job in document["jobs"].values():
        names = {"github.event.pull_request.head.repo.full_name": "a/b", "github.repository": "a/b"}
        assert holds(job["if"], names)
        assert not holds(job["if"], names | {"github.repository": "c/b"})


def check_a_domain(worlds: Worlds) -> None:
    """Nothing but production may claim it."""
    world = worlds("domain")
    for run in (world.deploy(), world.preview()):
        assert run.status == 1
        assert "api.example.com would be claimed twice" in run.page
    assert world.calls() == []
    assert world.deploy("production").status == 0


# ---- Checks of each push -----------------------------------------------------------------------


def check_each_push(worlds: Worlds) -> None:
    """Lock, style, types and tests; the tests on the lowest Python too, where that is another."""
    lowest = "run --isolated --locked --python 3.11 pytest"
    for kind, more in (("none", [lowest]), ("lowest", [])):
        world = worlds(kind)
        run = world.job("ci.yml", "test", {})
        assert run.status == 0, run.printed
        calls = (world.folder / "uv.calls").read_text().splitlines()
        assert [call for call in calls if "ci.project" not in call] == [
            "sync --locked",
            "run pre-commit run --all-files --show-diff-on-failure",
            "run mypy",
            "run pytest",
            *more,
        ]
        (world.folder / "red").touch()
        assert world.job("ci.yml", "test", {}).status == 1


def check_the_python_of_the_container(worlds: Worlds) -> None:
    for kind, version in (("none", "3.13"), ("lowest", "3.11")):
        world = worlds(kind)
        step = "uv run --no-project python -m ci.project container"
        assert world.run(step, {}).printed == f"{version}\n"
        source = (world.project / "src/myapi/modal_app.py").read_text()
        assert f'debian_slim(python_version="{version}")' in source


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_pipeline(worlds: Worlds, check: Callable[[Worlds], None]) -> None:
    check(worlds)


@pytest.mark.parametrize("kind", ["bearer", "login", "none"])
def test_each_auth_is_sent(worlds: Worlds, kind: str) -> None:
    check_success(worlds, kind)


DEPLOY, CLIENT, SMOKE, PREVIEW, PROJECT = (
    f"ci/{name}.py" for name in ("deploy", "client", "smoke", "preview", "project")
)
DEPLOY_YML, PREVIEW_YML, CI_YML = (
    f".github/workflows/{name}.yml" for name in ("deploy", "preview", "ci")
)
# What is broken: (file, text in it, text instead, the check that shows it)
MUTANTS: Mapping[str, tuple[str, str, str, Callable[[Worlds], None]]] = {
    "nobody asks": (DEPLOY, "seen = smoke.check(url)", 'seen = ""', check_failed_smoke),
    "nothing goes back": (DEPLOY, '"rollback", APP', '"rollover", APP', check_failed_smoke),
    "back to what failed": (DEPLOY, 'versions[1]["v', 'versions[0]["v', check_failed_smoke),
    "a refusal is called done": (DEPLOY, "as the rollback to", "as to", check_refused_rollback),
    "a refusal without its meaning": (DEPLOY, "*meaning[:1], ", "", check_refused_rollback),
    "the first goes back": (DEPLOY, "len(versions) < 2", "False", check_nothing_to_go_back_to),
    "always recreated": (DEPLOY, "STRATEGIES[stage])", '"recreate")', check_production),
    "to one Environment": (DEPLOY, "= ENVIRONMENTS[stage]", '= "staging"', check_production),
    "nobody is told": (DEPLOY, 'output("deployed", "true")', "pass", check_success),
    "approval of nothing": (
        DEPLOY,
        '"deployed", "false"',
        '"deployed", "true"',
        check_nothing_set_up,
    ),
    "no hint at max_containers": (DEPLOY, "{hint(stage, error)}", "", check_never_up),
    "a failure is green": (CLIENT, "if process.returncode:", "if False:", check_failed_deploy),
    "a part is enough": (CLIENT, "missing != needed or ", "", check_a_lost_secret),
    "a newcomer is red": (CLIENT, "not in_ci or", "in_ci or", check_nothing_set_up),
    "all lost is green": (CLIENT, ' or os.environ.get("DEPLOY_FROM_CI")', "", check_a_lost_secret),
    "a laptop needs CI's": (CLIENT, 'bool(os.environ.get("CI"))', "True", check_a_laptop),
    "five of a class": (
        CLIENT,
        "max_containers=1",
        "max_containers=5",
        check_a_preview_that_is_capped,
    ),
    "any URL of a Modal Server": (
        CLIENT,
        "if found := server.get_url():",
        "if found := str(server.get_url()):",
        check_a_modal_server,
    ),
    "five of a Modal Server": (
        CLIENT,
        "max_containers=1",
        "max_containers=5",
        check_a_modal_server,
    ),
    "a traceback": (
        CLIENT,
        "except modal.exception.Error",
        "except KeyError",
        check_modal_does_not_answer,
    ),
    "a domain twice": (CLIENT, "if DOMAIN:", "if False:", check_a_domain),
    "503 is final": (SMOKE, "{502, 503, 504}", "{502, 504}", check_cold_start),
    "a new URL is final": (SMOKE, '"modal-http: "', '"other"', check_cold_start),
    "few redirects": (SMOKE, "REDIRECTS = 20", "REDIRECTS = 5", check_cold_start),
    "credentials abroad": (
        SMOKE,
        "request.headers.clear()",
        "pass",
        check_credentials_stay_at_home,
    ),
    "any status will do": (SMOKE, "if status != SMOKE_STATUS:", "if False:", check_failed_smoke),
    "an open door": (SMOKE, "if status != 401:", "if False:", check_a_door_that_is_open),
    "any password": (SMOKE, ', ("", False)', ",", check_a_door_that_is_open),
    "another header": (SMOKE, '"Modal-Key": key', '"Modal-Id": key', check_success),
    "a half of the token": (SMOKE, 'token.partition(".")', 'token.partition("-")', check_success),
    "made twice": (PREVIEW, "not in environments()", "!= 0", check_a_preview),
    "not capped": (PREVIEW, "client.cap(environment)", "pass", check_a_preview),
    "no weights": (PREVIEW, "if PREPARE:", "if False:", check_a_model),
    "all secrets": (
        PREVIEW,
        "for key in SECRET_KEYS}",
        "for key in given}",
        check_secrets_of_a_preview,
    ),
    "a green failure": (PREVIEW, "str(problem), 1", "str(problem), 0", check_a_preview),
    "one name for all": (PREVIEW, "-pr-{number}", "-pr", check_a_preview),
    "untested": (DEPLOY_YML, "- run: uv run pytest #", "#", check_no_tests_no_deployment),
    "a token that is not passed on": (DEPLOY_YML, " SMOKE_TOKEN:", " TOKEN:", check_success),
    "production in any case": (
        DEPLOY_YML,
        "needs.staging.outputs.deployed == 'true'",
        "always()",
        check_nothing_set_up,
    ),
    "forks": (PREVIEW_YML, "full_name == github.repository", "full_name == 'a/b'", check_no_fork),
    "secrets for forks": (PREVIEW_YML, "  pull_request:", "  pull_request_target:", check_no_fork),
    "a failure without a comment": (PREVIEW_YML, "always() && ", "", check_a_preview),
    "never deleted": (PREVIEW_YML, "'down' || 'up'", "'up' || 'up'", check_a_preview),
    "a comment for each push": (".github/comment.sh", '-n "$comment"', '-z "a"', check_a_preview),
    "somebody's comment": (
        ".github/comment.sh",
        'type == \\"Bot\\"',
        'type != \\"A\\"',
        check_a_preview,
    ),
    "the same twice": (CI_YML, '[ "$lowest" = "$UV_PYTHON" ] ||', "", check_each_push),
    "the lowest is left out": (CI_YML, '"$lowest" pytest', '"$lowest" true', check_each_push),
    "another Python": (
        PROJECT,
        '"container": "3.1',
        '"container": "3.2',
        check_the_python_of_the_container,
    ),
}


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_broken_pipeline_is_caught(worlds: Worlds, name: str) -> None:
    path, text, instead, check = MUTANTS[name]

    def broken(kind: str) -> World:
        world = worlds(kind)
        file = world.project / path
        content = file.read_text()
        if text not in content:
            raise ValueError(f"{path} does not hold: {text}")
        file.write_text(content.replace(text, instead, 1))
        return world

    with pytest.raises(AssertionError):
        check(broken)


@pytest.mark.parametrize(
    "line",
    ["app rollbak myapi", "deploy -m a --tags b", "environment delete a --force", "app history"],
)
def test_what_the_client_does_not_know_is_seen(line: str) -> None:
    with pytest.raises(AssertionError, match=r"^modal "):
        parsed_by_the_client(line.split())


def test_the_script_is_clean() -> None:
    script = family.ROOT / "template" / "{{ github }}" / ".github/comment.sh"
    shellcheck = [str(Path(sys.executable).with_name("shellcheck")), str(script)]
    run = subprocess.run(shellcheck, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
