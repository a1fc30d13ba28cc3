"""An engine's own application behind a project's gate, asked for each of its routes: by hand, as parse.py.

    PYTHONPATH=WHEEL:PROJECT/src python tests/engines/ask.py vllm

The project has auth=bearer and gpu_snapshot=true. The model behind it is one that only notes what it is asked.
"""

import asyncio
import importlib
import os
import sys
from pathlib import Path

import httpx2

parse = importlib.import_module("parse")  # beside this file

TOKEN, KEY = "t" * 32, "k" * 64
CALLER, INSIDE = {"Authorization": f"Bearer {TOKEN}"}, {"X-Control-Key": KEY}
VARIABLES = {
    "API_TOKENS": f"me:{TOKEN}",
    "CONTROL_KEY": KEY,
    "VLLM_SERVER_DEV_MODE": "1",
    "REQUESTS_PER_MINUTE": "1000000",
}
OPEN = {"/health", "/ready"}


class Noted:
    """Stands for the model: whatever it is asked, it does, and notes it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        async def do(*_: object, **__: object) -> bool:
            self.asked.append(name)
            return True

        return do


async def main() -> None:
    command = importlib.import_module("myapi.command")
    settings = importlib.import_module("myapi.settings").Settings()
    given = parse.PARSERS[sys.argv[1]](command.arguments(settings, Path("/weights"), "::1", 8000))
    app = importlib.import_module("vllm.entrypoints.launchers.app").build_app(given, ("generate",))
    app.state.engine_client = model = Noted()
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
        for path in (command.SLEEP, command.WAKE_UP):
            answer = await client.post(path, headers=INSIDE)
            assert answer.status_code == 200, (path, answer.text)
        assert (await client.get("/ready")).status_code == 200
    print(
        f"{len(paths)} routes, {len(hidden)} of them hidden; from inside it was asked {model.asked}"
    )


if __name__ == "__main__":
    os.environ.update(VARIABLES)
    asyncio.run(main())
