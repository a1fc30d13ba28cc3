"""Starts that must not succeed: a secret is missing, or is none."""

import os
import re
import sys
from pathlib import Path

import family
from harden.faults_kit import Fault, Trial, finished
from harden.service import PROGRAM
from projects import SECRETS, free_port

# What a container runs, without Modal: its exit handlers run after a failed start too.
CONTAINER = {
    "web": "import modal; modal.is_local = lambda: False; from myapi.modal_app import web; web.local()",
    "Inference": "from myapi.modal_app import Inference; Inference().web.local()",
    "Server": """
import sys
from myapi import modal_app
modal_app.PORT = int(sys.argv[1])
server = modal_app.Server()
try:
    server.web.local()
finally:
    if server.process:
        server.process.stop()
""",
}
TOKEN = "0123456789abcdef0123456789abcdef0123456789"
TOKENS = {
    "missing": None,
    "empty": "",
    "without a name": TOKEN,
    "short": "ann:" + TOKEN[:31],
    "with a blank": f"ann:{TOKEN} {TOKEN}",
    "in quotes": f'"ann:{TOKEN}"',
    "twice": f"ann:{TOKEN},bob:{TOKEN}",
    "a comma too many": f"ann:{TOKEN},",
    "two lines": f"ann:{TOKEN}\nbob:{TOKEN[::-1]}",
}
USERS = {
    "missing": None,
    "empty": "",
    "without a name": TOKEN,
    "short": "ann:" + TOKEN[:15],
    "with a blank": f"ann:{TOKEN} {TOKEN}",
    "twice": f"ann:{TOKEN},ann:{TOKEN[::-1]}",
}
KEYS = {"missing": None, "empty": "", "short": TOKEN[:12]}
ENGINES = family.kinds_with("engine")
STYLES = ("api", "flask", "simple", "inference", "django", "websocket", "mcp", "jobs", *ENGINES)
EXITED = "the server exited with code 1"


def bad_tokens(trial: Trial) -> str:
    """API_TOKENS is missing or malformed. Neither a container nor the local server starts; the last line says why."""
    for style in trial.styles(*STYLES, quick=1):
        kind = {"inference": "Inference", **dict.fromkeys(ENGINES, "Server")}.get(style, "web")
        last = EXITED if style in ENGINES else ""  # here the echo that stands for it says why
        project = trial.project(style, auth="bearer")
        if style == "inference":  # its engine is not what fails here
            leave_out_the_model(project)
        for what, value in TOKENS.items() if trial.options.full else list(TOKENS.items())[:3]:
            with trial.case(f"{style} in a container: {what}"):
                command = [sys.executable, "-c", CONTAINER[kind], str(free_port())]
                refused(project, command, "API_TOKENS", value)
        for what in ("short", "twice") if trial.options.full else ("twice",):
            with trial.case(f"{style} locally: {what}"):
                command = [sys.executable, "-c", PROGRAM, "--port", "0"]
                refused(project, command, "API_TOKENS", TOKENS[what], last)
    return "exit code 1, the last line names the variable and the entry, never a token"


def bad_users(trial: Trial) -> str:
    """LOGIN_USERS of Gradio is missing or malformed. The server's last line says why, and its container ends."""
    for style in trial.styles("gradio"):
        project = trial.project(style, auth="login")
        for what, value in USERS.items():
            with trial.case(f"{style} in a container: {what}"):
                command = [sys.executable, "-c", CONTAINER["Server"], str(free_port())]
                refused(project, command, "LOGIN_USERS", value, EXITED)
        with trial.case(f"{style} locally: short"):
            command = [sys.executable, "-c", PROGRAM, "--port", "0"]
            refused(project, command, "LOGIN_USERS", USERS["short"], EXITED)
    return "exit code 1; the server says which entry, then the container that the server exited"


def bad_key(trial: Trial) -> str:
    """DJANGO_SECRET_KEY is missing, empty or short. No container starts; the last line names it."""
    for style in trial.styles("django"):
        project = trial.project(style)
        for what, value in KEYS.items():
            with trial.case(f"{style} in a container: {what}"):
                command = [sys.executable, "-c", CONTAINER["web"]]
                refused(project, command, "DJANGO_SECRET_KEY|SECRET_KEY", value)
    return "exit code 1, the last line names the key"


def refused(
    project: Path, command: list[str], variable: str, value: str | None, last: str = ""
) -> None:
    """That this start ends with an error that names the variable, and not what it holds."""
    code, printed = finished(command, project, environment(variable, value))
    assert code not in (0, None), f"it started: {printed[-500:]}"
    said = re.findall(
        rf"^[\w.]*(?:Error|ImproperlyConfigured): .*(?:{variable}).*$", printed, re.MULTILINE
    )
    assert len(said) == 1, f"{len(said)} lines name it: {printed[-800:]}"
    end = printed.strip().splitlines()[-1]
    assert (last or said[0]) in end, f"the last line says something else: {end}"
    for secret in (TOKEN, TOKEN[:15], TOKEN[::-1]):
        assert value is None or secret not in printed, f"the secret is printed: {printed[-800:]}"


def environment(variable: str, value: str | None) -> dict[str, str]:
    name = variable.partition("|")[0]
    kept = {key: text for key, text in {**os.environ, **SECRETS}.items() if key != name}
    return kept if value is None else kept | {name: value}


def leave_out_the_model(project: Path) -> None:
    """Put an echo into the place of the engine."""
    file = project / "src/myapi/modal_app.py"
    text = file.read_text()
    start, end = (
        text.index("    @modal.enter(snap=True)"),
        text.index("    # https://modal.com/docs/guide/webhooks"),
    )
    loaded = "    @modal.enter()\n    def load(self) -> None:\n        from .echo import EchoEngine\n\n        self.engine = EchoEngine()\n\n"
    file.write_text(text[:start] + loaded + text[end:])


FAULTS = (
    Fault("bearer tokens are missing or malformed", 99, 4, bad_tokens),
    Fault("users of a login are missing or malformed", 7, 0, bad_users),
    Fault("Django's key is missing or weak", 3, 3, bad_key),
)
