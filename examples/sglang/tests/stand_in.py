"""Stands for SGLang in these tests: takes its options, and no others, and answers as the echo does.

NOTES in its environment is a file that gets a line for its options and for each request that comes from inside its container.
SLOW is for how many seconds it is not healthy, CODE what it exits with at once, STATUS what it answers when it shall sleep or
wake up, and with UNGUARDED it has no gate.
"""

import argparse
import json
import logging
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


PROGRAM = [sys.executable, "-m", "myapi.launch"]
MODULES = (
    *("launch_server", "srt/entrypoints/http_server", "srt/plugins", "srt/server_args"),
    "srt/utils",
)


def place(folder: Path) -> dict[str, str]:
    """Let each module that launch.py takes from SGLang be this one."""
    for module in MODULES:
        path = folder / "sglang" / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from stand_in import *\n")
    here = Path(__file__).parent
    brought = Path(uvicorn.__file__).parents[1]  # as SGLang brings it
    return {"PYTHONPATH": os.pathsep.join(map(str, [folder, here, here.parent / "src", brought]))}


def load_plugins() -> None:
    """Loads none."""


def prepare_server_args(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in ("model-path", "served-model-name", "host", "tp-size", "max-running-requests"):
        parser.add_argument(f"--{option}", required=True)
    for option in ("log-level-http", "context-length", "mem-fraction-static", "random-seed"):
        parser.add_argument(f"--{option}")
    for switch in ("skip-server-warmup", "enable-memory-saver", "enable-weights-cpu-backup"):
        parser.add_argument(f"--{switch}", action="store_true")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(words)
    logging.basicConfig(level="INFO", force=True)  # as SGLang does
    note(json.dumps(words))
    return options


def run_server(options: argparse.Namespace) -> None:
    app.add_middleware(Noted)
    app.state.key = options.admin_api_key
    if "UNGUARDED" in os.environ:
        del app.build_middleware_stack
    serve(app, options)


def kill_process_tree(process: int, *, include_parent: bool) -> None:
    """It started none."""


async def change(request: Request) -> Response:
    if request.headers.get("Authorization") != f"Bearer {app.state.key}":
        return JSONResponse({"error": "Unauthorized"}, 401)
    app.state.idle = app.state.idle or request.url.path == "/flush_cache"
    if not app.state.idle:
        return JSONResponse({"error": "not idle"}, 400)
    return JSONResponse({}, int(os.environ.get("STATUS", "200")))


app = echo.create_app()
app.state.idle = False  # until it was asked to be
app.routes.extend(
    Route(path, change, methods=["POST"])
    for path in ("/flush_cache", "/release_memory_occupation", "/resume_memory_occupation")
)
