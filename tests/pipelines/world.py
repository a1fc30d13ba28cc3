"""What is outside of a pipeline, on this machine.

Modal's API is a control plane on a socket, asked by the real client, and the deployment a web server that is as well or as ill
as a test wants. Stand-ins for the command lines of Modal, GitHub, pip and uv note what they are asked; what was asked of Modal
must be something that the installed client's own parser takes.
"""

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import grpclib
import yaml
from grpclib.const import Status
from modal.cli.entry_point import entrypoint_cli
from modal_proto import api_pb2

import family
from rehearsal.service import Service

PATIENCE = 3
KINDS: Mapping[str, family.Answers] = {
    "proxy": {"style": "api", "auth": "proxy"},
    "bearer": {"style": "api", "auth": "bearer"},
    "none": {"style": "flask", "auth": "none"},
    "login": {"style": "server", "server_app": "gradio", "auth": "login"},
    "server": {"style": "websocket", "auth": "bearer", "tune": True, "server_kind": "server"},
    "django": {"style": "django", "auth": "bearer"},
    "inference": {"style": "inference", "auth": "proxy"},
    "lowest": {"style": "simple", "auth": "none", "python_version": "3.11"},
    "domain": {"style": "flask", "auth": "none", "custom_domain": "api.example.com"},
    "gitlab": {"style": "django", "auth": "bearer", "ci": "gitlab"},
    "gitlab, lowest": {"style": "simple", "auth": "none", "python_version": "3.11", "ci": "gitlab"},
}
TOKENS = {"proxy": "wk-key.ws-secret", "bearer": "right", "login": "ann:right:er", "none": ""}
MODAL_TOKEN = {"MODAL_TOKEN_ID": "id", "MODAL_TOKEN_SECRET": "secret"}
# Notes its arguments, and answers what `answers` says for the first words of them: [exit status, text].
MODAL = """#!{python} -IS
import json, os, sys
folder = {folder!r}
arguments = sys.argv[1:]
note = {{"arguments": arguments}}
for argument in arguments:
    if argument.endswith(".json") and os.path.exists(argument):
        note["file"] = json.load(open(argument))
        note["mode"] = oct(os.stat(argument).st_mode & 0o777)
open(folder + "/modal.calls", "a").write(json.dumps(note) + "\\n")
for words, (status, text) in json.load(open(folder + "/answers")).items():
    if arguments[: len(words.split())] == words.split():
        print(text)
        sys.exit(status)
"""
# `uv run … python` is this environment's; all else is only noted.
UV = """#!{python} -IS
import os, sys
arguments = sys.argv[1:]
open({folder!r} + "/uv.calls", "a").write(" ".join(arguments) + "\\n")
if arguments[0] == "run" and "python" in arguments:
    os.execv({python!r}, [{python!r}, *arguments[arguments.index("python") + 1 :]])
sys.exit(arguments == ["run", "pytest"] and os.path.exists({folder!r} + "/red"))
"""
PIP = """#!/bin/sh
echo "$@" >> '{folder}/pip.calls'
"""
# Keeps comments, of a bot and of others, as GitHub would.
GH = """#!{python} -IS
import json, os, re, sys
arguments = sys.argv[1:]
path = {folder!r} + "/comments"
comments = json.load(open(path)) if os.path.exists(path) else [["User", "<!-- preview --> mine"]]
assert arguments[0] == "api" and os.environ["GH_TOKEN"] == "github's"
body = next((a[len("body="):] for a in arguments if a.startswith("body=")), None)
target = next(a for a in arguments if a.startswith("repos/"))
if body is None:
    assert target == "repos/{{owner}}/{{repo}}/issues/17/comments"
    marker = re.search(r'startswith."(.+?)"', arguments[-1])[1]
    assert '.user.type == "Bot"' in arguments[-1]
    for number, (who, text) in enumerate(comments):
        if who == "Bot" and text.startswith(marker):
            print(number)
elif target == "repos/{{owner}}/{{repo}}/issues/17/comments":
    comments.append(["Bot", body])
else:
    assert "PATCH" in arguments
    comments[int(target.rpartition("/")[2])][1] = body
json.dump(comments, open(path, "w"))
"""


class Plane(Service):
    """What Modal says of one deployed app, and how its scaling is set."""

    def __init__(self) -> None:
        super().__init__()
        self.web_url = ""
        self.asked: list[tuple[str, str]] = []  # environment, name
        self.refusals: dict[str, str] = {}  # by the call that is refused
        self.scaling: list[tuple[int, int, int]] = []  # containers: least, most, spare

    def metadata(self, name: str) -> api_pb2.FunctionHandleMetadata:
        if name == "Server":
            return api_pb2.FunctionHandleMetadata(
                function_name=name,
                definition_id="de-1",
                _experimental_flash_urls=[self.web_url] if self.web_url else [],
            )
        of_class = name.endswith(".*")
        method = api_pb2.FunctionHandleMetadata(
            function_name=name.replace("*", "web"),
            use_method_name="web",
            is_method=True,
            web_url=self.web_url,
        )
        return api_pb2.FunctionHandleMetadata(
            function_name=name,
            definition_id="de-1",
            web_url="" if of_class else self.web_url,
            method_handle_metadata={"web": method} if of_class else {},
        )

    def refuse(self, call: str) -> None:
        if call in self.refusals:
            raise grpclib.GRPCError(Status.PERMISSION_DENIED, self.refusals[call])

    async def FunctionGet(self, request: api_pb2.FunctionGetRequest) -> api_pb2.FunctionGetResponse:
        self.refuse("FunctionGet")
        self.asked.append((request.environment_name, request.object_tag))
        data = api_pb2.FunctionData(function_name=request.object_tag)
        data.ranked_functions.add(function=api_pb2.Function(function_name=request.object_tag))
        return api_pb2.FunctionGetResponse(
            function_id="fu-1", function=data, handle_metadata=self.metadata(request.object_tag)
        )

    async def ClassGet(self, request: api_pb2.ClassGetRequest) -> api_pb2.ClassGetResponse:
        return api_pb2.ClassGetResponse(
            class_id="cs-1", handle_metadata=api_pb2.ClassHandleMetadata()
        )

    async def FunctionUpdateSchedulingParams(
        self, request: api_pb2.FunctionUpdateSchedulingParamsRequest
    ) -> api_pb2.FunctionUpdateSchedulingParamsResponse:
        self.refuse("FunctionUpdateSchedulingParams")
        now = request.settings
        self.scaling.append((now.min_containers, now.max_containers, now.buffer_containers))
        return api_pb2.FunctionUpdateSchedulingParamsResponse(current_settings=now)


@dataclass
class Site:
    """The deployment: answers as well as its application would, after so many of the given answers.

    Attributes:
        first: answers of its first requests: a status, `redirect`, `edge` or `silent`.
        always: the one answer of all requests, if given.
        open: whether strangers get in.
    """

    auth: str = "none"
    first: list[Any] = field(default_factory=list)
    always: Any = None
    open: bool = False
    seen: list[tuple[str, str]] = field(default_factory=list)  # method, path
    strangers: list[str] = field(default_factory=list)  # credentials that other hosts were given
    url: str = ""
    other: str = ""

    def status(self, method: str, path: str, headers: Mapping[str, str], body: str) -> Any:
        self.seen.append((method, path))
        if self.first:
            return self.first.pop(0)
        if self.always is not None:
            return self.always
        if path == "/login":
            return 200 if body == "username=ann&password=right%3Aer" or self.open else 400
        known = {
            "proxy": (headers["Modal-Key"], headers["Modal-Secret"]) == ("wk-key", "ws-secret"),
            "bearer": headers["Authorization"] == "Bearer right" or path in {"/health", "/ready"},
        }.get(self.auth, True)
        if not known and not self.open:
            return 401
        return 404 if path == "/" else 200


@contextlib.contextmanager
def served(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if self.path == "/elsewhere":
                site.strangers += [
                    self.headers[name] or "" for name in ("Authorization", "Modal-Key")
                ]
            status = site.status(self.command, self.path, self.headers, body)  # type: ignore[arg-type]
            if status == "silent":
                self.close_connection = True
                return
            self.send_response({"redirect": 303, "edge": 404, "away": 303}.get(status, status))
            if status == "redirect":
                self.send_header("Location", self.path)
            if status == "away":
                self.send_header("Location", f"{site.other}/elsewhere")
            text = b"modal-http: invalid function call" if status == "edge" else b"{}"
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        site.other = f"http://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield site
        finally:
            server.shutdown()


@dataclass(frozen=True)
class Run:
    """What came of a job."""

    status: int
    printed: str
    page: str  # of GitHub
    outputs: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)  # for later steps


@dataclass
class World:
    """A project of one kind, its deployment, and what is outside."""

    folder: Path
    project: Path
    plane: Plane
    plane_url: str
    site: Site
    auth: str
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def versions(self, *tags: str) -> None:
        """What the app's history shows, the newest first."""
        rows = [{"version": f"v{9 - n}", "tag": tag} for n, tag in enumerate(tags)]
        self.answers["app history"] = (0, json.dumps(rows))

    def environments(self, *names: str) -> None:
        self.answers["environment list"] = (0, json.dumps([{"name": name} for name in names]))

    def calls(self) -> list[str]:
        """What was asked of Modal's command line, each a line that the real one's parser takes."""
        lines = []
        for note in self.notes():
            parsed_by_the_client(note["arguments"])
            lines.append(" ".join(note["arguments"]))
        return lines

    def notes(self) -> list[dict[str, Any]]:
        file = self.folder / "modal.calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def comments(self) -> list[list[str]]:
        file = self.folder / "comments"
        found: list[list[str]] = json.loads(file.read_text()) if file.exists() else []
        return found

    def run(self, command: str, environment: Mapping[str, str]) -> Run:
        """Run a shell command as a runner does."""
        (self.folder / "answers").write_text(json.dumps(self.answers))
        self.plane.web_url = self.site.url
        page, output, later = (self.folder / name for name in ("page", "output", "variables"))
        for file in (page, output, later):
            file.write_text("")
        kept = ("LANG", "HOME", "TMPDIR", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=self.project,
            env={name: os.environ[name] for name in kept if name in os.environ}
            | {
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "CI": "true",
                "MODAL_SERVER_URL": self.plane_url,
                "GITHUB_STEP_SUMMARY": str(page),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_ENV": str(later),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        printed = done.stdout + done.stderr
        return Run(done.returncode, printed, page.read_text(), pairs(output), pairs(later))

    def job(self, workflow: str, job: str, given: Mapping[str, str]) -> Run:
        """Run the steps of a job; `given` holds the values of expressions, all others being empty."""
        definition = yaml.safe_load((self.project / ".github/workflows" / workflow).read_text())
        definition = definition["jobs"][job]
        known: dict[str, str] = {"github.token": "github's", **given}
        shared = values(definition.get("env", {}), known)
        failed, all_of_it, page, outputs = 0, "", "", dict[str, str]()
        for step in definition["steps"]:
            condition = step.get("if", "")
            wanted = not condition or holds(condition.removeprefix("always() && "), known)
            if "run" not in step or not wanted or (failed and "always()" not in condition):
                continue
            assert "${{" not in step["run"], "an expression in a script"
            run = self.run(step["run"], shared | values(step.get("env", {}), known))
            failed = failed or run.status
            all_of_it, page = all_of_it + run.printed, page + run.page
            outputs |= run.outputs
            shared |= run.variables
            known |= {f"steps.{step.get('id')}.outputs.{n}": v for n, v in run.outputs.items()}
        return Run(failed, all_of_it, page, outputs)

    def deploy(self, stage: str = "staging", **given: str) -> Run:
        token = {"SMOKE_TOKEN": TOKENS[self.auth]} if self.auth != "none" else {}
        secrets = {f"secrets.{name}": value for name, value in (MODAL_TOKEN | token).items()}
        return self.job("deploy.yml", stage, secrets | given)

    def preview(self, action: str = "synchronize", **given: str) -> Run:
        secrets = MODAL_TOKEN | {"SMOKE_TOKEN": TOKENS[self.auth]}
        return self.job(
            "preview.yml",
            "preview",
            {f"secrets.{name}": value for name, value in secrets.items()}
            | {"github.event.action": action, "github.event.pull_request.number": "17"}
            | given,
        )


def pairs(file: Path) -> dict[str, str]:
    """What a step wrote for later ones."""
    lines = [line.partition("=") for line in file.read_text().splitlines()]
    return {name: value for name, _, value in lines}


def values(declared: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The variables that a job or a step declares."""
    return {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda match: value_of(match[1], known), str(text))
        for name, text in declared.items()
    }


def value_of(expression: str, known: Mapping[str, str]) -> str:
    if choice := re.fullmatch(r"(.+) && '(\w+)' \|\| '(\w+)'", expression):
        return choice[2] if holds(choice[1], known) else choice[3]
    assert re.fullmatch(r"[\w.-]+", expression), f"this test does not know: {expression}"
    return known.get(expression, "")


def holds(condition: str, known: Mapping[str, str]) -> bool:
    left, _, right = condition.partition(" == ")
    wanted = right.strip("'") if right.startswith("'") else known.get(right, "")
    return known.get(left, "") == wanted


def parsed_by_the_client(arguments: list[str]) -> None:
    """Raise AssertionError where the installed client does not know a command or an option."""
    command: click.Command = entrypoint_cli
    context = click.Context(command, info_name="modal")
    rest = list(arguments)
    while isinstance(command, click.Group) and rest:
        found = command.get_command(context, rest[0])
        assert found, f"modal {' '.join(arguments)}: no command {rest[0]}"
        command, rest = found, rest[1:]
        if command.name in {"run", "deploy"} or not isinstance(command, click.Group):
            break
        context = click.Context(command, parent=context, info_name=command.name)
    try:
        if isinstance(command, click.Group):  # `run` takes what follows its options as a name
            parser = click.Command("run", params=[*command.params, click.Argument(["ref"])])
            parser.make_context("run", rest)
        else:
            command.make_context(command.name, rest, parent=context)
    except click.ClickException as error:
        raise AssertionError(f"modal {' '.join(arguments)}: {error.format_message()}") from error


def commit_of(world: World) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=world.project, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


Worlds = Callable[[str], World]
