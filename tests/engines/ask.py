"""An engine's own application behind a project's gate, asked for each of its routes: by hand, as parse.py.

    PYTHONPATH=WHEEL:PROJECT/src python tests/engines/ask.py vllm

The project has auth=bearer and gpu_snapshot=true. The model behind it is one that only notes what it is asked.
"""

import argparse
import asyncio
import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx2

parse = importlib.import_module("parse")  # beside this file

TOKEN, KEY = "t" * 32, "k" * 64
CALLER, INSIDE = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Bearer {KEY}"}
VARIABLES = {
    "API_TOKENS": f"me:{TOKEN}",
    "CONTROL_KEY": KEY,
    "VLLM_SERVER_DEV_MODE": "1",
    "SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "false",
    "REQUESTS_PER_MINUTE": "1000000",
}
OPEN = {"/health", "/ready"}


class Noted:
    """Stands for the model: whatever it is asked, it does, and notes it."""

    def __init__(self, **known: object) -> None:
        self.asked: list[str] = []
        vars(self).update(known)

    def __getattr__(self, name: str) -> object:
        async def do(*_: object, **__: object) -> SimpleNamespace:
            self.asked.append(name)
            return SimpleNamespace(success=True)

        return do


def vllm(words: list[str]) -> tuple[Any, Noted]:
    given = parse.PARSERS["vllm"](words)
    app = importlib.import_module("vllm.entrypoints.launchers.app").build_app(given, ("generate",))
    app.state.engine_client = model = Noted()
    return app, model


def sglang(words: list[str]) -> tuple[Any, Noted]:
    """The application as the project's launch.py makes it, up to where the engine would be started."""
    parse.let_be_absent()
    server = importlib.import_module("sglang.srt.entrypoints.http_server")
    auth = importlib.import_module("sglang.srt.utils.auth")
    status = importlib.import_module("sglang.srt.managers.tokenizer_manager").ServerStatus
    model = Noted(gracefully_exit=False, server_status=status.Up)
    server.set_global_state(server._GlobalState(model, Noted(), {}))

    def run_server(given: argparse.Namespace) -> None:
        key = given.admin_api_key
        auth.add_api_key_middleware(server.app, api_key=given.api_key, admin_api_key=key)
        assert KEY not in repr(given), "the log says the key"

    with (
        patch("sglang.launch_server.run_server", run_server),
        patch("sglang.srt.utils.kill_process_tree", lambda *_, **__: None),
        patch.object(sys, "argv", ["", *words[3:]]),
    ):
        importlib.import_module("myapi.launch").main()
    return server.app, model


APPLICATIONS: dict[str, Callable[[list[str]], tuple[Any, Noted]]] = {
    "vllm": vllm,
    "sglang": sglang,
}


async def ask(app: Any, model: Noted, command: Any) -> None:
    closed = importlib.import_module("myapi.gate").CLOSED
    words = (Path(__file__).parent / f"{sys.argv[1]}.txt").read_text().split()
    paths = [word for word in words if word.startswith("/") and "{" not in word]
    hidden = [path for path in paths if not path.startswith("/v1/") and path not in OPEN]
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            for path in {*paths} - OPEN:
                assert (await client.request(method, path)).status_code == 401, (method, path)
            for path in hidden:
                answer = await client.request(method, path, headers=CALLER)
                assert answer.status_code == 404, (method, path, answer.status_code)
        assert not model.asked, model.asked
        for path in (*command.SLEEP, command.WAKE_UP):
            answer = await client.post(path, headers=INSIDE, json={})
            assert answer.status_code == 200, (path, answer.text)
        assert (await client.get("/ready")).status_code == 200
        # What the start asks as a stranger, to see whether the gate is there.
        assert (await client.get(closed, headers=INSIDE)).status_code == 200
    print(
        f"{len(paths)} routes, {len(hidden)} of them hidden; from inside it was asked {model.asked}"
    )


def main() -> None:
    command = importlib.import_module("myapi.command")
    settings = importlib.import_module("myapi.settings").Settings()
    words = command.arguments(settings, Path("/weights"), "::1", 8000)
    app, model = APPLICATIONS[sys.argv[1]](words)
    asyncio.run(ask(app, model, command))
    handlers = logging.getLogger().handlers
    assert len(handlers) == 1, f"each line is logged by {handlers}"


if __name__ == "__main__":
    os.environ.update(VARIABLES)
    main()
