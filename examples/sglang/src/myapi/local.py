"""What the local server starts: the engine, or an echo where it cannot run."""

import sys
from importlib.util import find_spec

from . import weights
from .command import command as engine_command
from .settings import Settings


def command(host: str, port: int) -> list[str]:
    if reason := _why_no_engine():
        print(
            f"myapi: no SGLang here ({reason}), an echo answers. For the real one, on Linux with a GPU: "
            "uv sync --extra model && uv run python -m myapi.weights",
            flush=True,
        )
        return [sys.executable, "-m", f"{__package__}.echo", f"--host={host}", f"--port={port}"]
    return engine_command(host, port)


def _why_no_engine() -> str | None:
    if find_spec("sglang") is None:
        return "it is not installed"
    try:
        weights.find(Settings().models_dir)
    except weights.ModelMissingError:
        return "its weights were not downloaded"
    return None
