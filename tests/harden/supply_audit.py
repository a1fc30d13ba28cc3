"""The command of audit.yml as it is, against a stand-in for the database of vulnerabilities that it asks.

It passes where nothing is known, fails where something is, names the package, asks of every package that is locked, and
does not pass when nobody answers.
"""

import contextlib
import json
import os
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

import family
import locks
from harden.report import Options, Row
from harden.service import render
from harden.supply_files import Files, one

KNOWN = {"id": "PYSEC-2000-1", "modified": "2000-01-01T00:00:00Z", "summary": "known"}
# What is broken in the command: (text in it, text instead)
MUTANTS = {
    "what is known is passed over": ("audit-command", "audit-command || true"),
    "what only development needs is left out": ("--frozen", "--frozen --no-dev"),
    "what cannot be asked is passed over": ("audit-command", "audit-command || [ $? = 2 ]"),
}


def run(options: Options, files: Files) -> Iterator[Row]:
    workflow = yaml.safe_load(one(files, ".github/workflows/audit.yml"))
    (command,) = (step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step)
    kinds = {family.kind(answers): answers for answers in family.styles()}
    chosen = kinds if options.full else {"api": kinds["api"]}
    cases, failures = 0, list[str]()
    for kind, answers in chosen.items():
        project = render(options, f"audited-{kind}", **answers)
        locks.lock(project)
        cases += 3
        failures += [f"{kind}: {problem}" for problem in problems(project, command)]
    for what, (text, instead) in MUTANTS.items():
        assert text in command, f"{command} does not hold: {text}"
        cases += 1
        if next(problems(project, command.replace(text, instead)), None) is None:
            failures.append(f"nobody notices: {what}")
    held = f"known: fails, nothing known: passes, no answer: fails; {len(MUTANTS)} mutants caught"
    least = 3 * len(chosen) + len(MUTANTS)
    yield Row(
        "supply", "audit of the lock", cases, least, tuple(failures), "" if failures else held
    )


def problems(project: Path, command: str) -> Iterator[str]:
    packages = tomllib.loads((project / "uv.lock").read_text())["package"]
    locked = {package["name"] for package in packages} - {family.NAME}
    with database(set()) as (url, asked):
        status, printed = audit(project, command, url)
        if status != 0:
            yield f"nothing is known, and it ends with {status}: {printed}"
        if asked.packages != locked:
            yield f"not asked of: {sorted(locked ^ asked.packages)}"
    with database({"ruff"}) as (url, _):
        status, printed = audit(project, command, url)
        if status != 1 or "ruff" not in printed:
            yield f"something is known, and it ends with {status}: {printed}"
    status, printed = audit(project, command, url)  # nobody listens there any more
    if status in {0, 1}:
        yield f"nobody answers, and it ends with {status}: {printed}"


def audit(project: Path, command: str, url: str) -> tuple[int, str]:
    own = {**os.environ, "UV_HTTP_RETRIES": "0"}
    run = subprocess.run(
        ["bash", "-ec", command.replace("uv audit", f"uv audit --service-url={url}")],
        cwd=project,
        env=own,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return run.returncode, run.stdout + run.stderr


@dataclass
class Asked:
    packages: set[str] = field(default_factory=set)


@contextlib.contextmanager
def database(vulnerable: set[str]) -> Iterator[tuple[str, Asked]]:
    """Answers as OSV does (https://google.github.io/osv.dev/api/); its URL, and what it is asked."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            names = [query["package"]["name"] for query in body["queries"]]
            asked.packages.update(names)
            self.answer(
                {"results": [{"vulns": [KNOWN]} if name in vulnerable else {} for name in names]}
            )

        def do_GET(self) -> None:
            self.answer({**KNOWN, "affected": []})

        def answer(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
