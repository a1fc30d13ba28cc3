"""Stands for vLLM in these tests: takes its options, and no others, and answers as the echo does.

NOTES in its environment is a file that gets a line for its options and for each request that comes from inside its container.
SLOW is for how many seconds it is not healthy, CODE what it exits with at once, STATUS what it answers when it shall sleep or
wake up, and with UNGUARDED it has no gate.
"""

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from myapi import echo


def install(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Let it be found in the place of the engine; return its notes."""
    for name, value in variables(folder).items():
        patch.setenv(name, value)
    return folder / "notes"


def variables(folder: Path) -> dict[str, str]:
    """Of an environment in which it is found, by what this writes into the folder."""
    notes = folder / "notes"
    notes.write_text("")
    return {"NOTES": str(notes)} | place(folder)


def note(line: str) -> None:
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{line}\n")


class Noted:
    """Notes what arrives, but for questions after its health and its gate, which are many."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.healthy_at = time.monotonic() + float(os.environ.get("SLOW", "0"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http" and scope["path"] != "/health":
            query = scope["query_string"].decode()
            note(scope["path"] + (f"?{query}" if query else ""))
        elif scope["type"] == "http" and time.monotonic() < self.healthy_at:
            app = Response(status_code=503)
        await app(scope, receive, send)


def serve(app: ASGIApp, options: argparse.Namespace) -> None:
    if code := int(os.environ.get("CODE", "0")):
        sys.exit(code)
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


PROGRAM = ["vllm"]


def place(folder: Path) -> dict[str, str]:
    """Put it on PATH under the name of the engine."""
    script = folder / "vllm"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
    script.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


async def change(_: Request) -> Response:
    return JSONResponse({}, int(os.environ.get("STATUS", "200")))


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("action", choices=["serve"])
    parser.add_argument("model", type=Path)
    for option in (
        *("served-model-name", "max-model-len", "gpu-memory-utilization", "tensor-parallel-size"),
        *("max-num-seqs", "host", "middleware"),
    ):
        parser.add_argument(f"--{option}", required=True)
    for switch in ("disable-fastapi-docs", "disable-uvicorn-access-log", "enable-sleep-mode"):
        parser.add_argument(f"--{switch}", action="store_true")
    parser.add_argument("--seed", type=int)  # for a test of more options
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    note(json.dumps(sys.argv[1:]))
    app = echo.create_app()
    app.routes.extend(Route(path, change, methods=["POST"]) for path in ("/sleep", "/wake_up"))
    module, _, name = options.middleware.rpartition(".")
    gate = getattr(importlib.import_module(module), name)
    serve(Noted(app) if "UNGUARDED" in os.environ else gate(Noted(app)), options)


if __name__ == "__main__":
    main()
