"""How long fresh processes take: to import the web module, and to load the model and make its first token.

python -m benchmarks.starts project|seed MODEL DEVICE
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .processes import Process

HEAVY = ("torch", "transformers", "numpy", "tokenizers", "huggingface_hub", "gradio")
IMPORTS = {"nothing": "", "fastapi": "import fastapi", "web": "import myapi.web"}


def import_times(
    repeats: int, core: int | None, environment: Mapping[str, str], log: Path
) -> dict[str, float]:
    """Median seconds of whole processes, one after the other. The first of each compiles, and is not counted."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for number in range(repeats + 1):
        print(f"imports: {number + 1} of {repeats + 1}", file=sys.stderr, flush=True)
        for name, code in IMPORTS.items():
            started = time.perf_counter()
            with Process("-c", code, core=core, environment=environment, log=log) as process:
                if process.process.wait():
                    raise RuntimeError(process.last_words())
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


def heavy_modules(environment: Mapping[str, str]) -> list[str]:
    """Which of the heavy ones the web module brings."""
    code = f"import json, sys, myapi.web; print(json.dumps([*{{*sys.modules}} & {{*{HEAVY}}}]))"
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    return sorted(json.loads(said.stdout))


def first_tokens(
    repeats: int,
    core: int | None,
    environment: Mapping[str, str],
    log: Path,
    *,
    model: Path,
    device: str,
) -> dict[str, float]:
    """Median seconds from the start of a process to its first token, one after the other, after one of each."""
    times: dict[str, list[float]] = {"project": [], "seed": []}
    for number in range(repeats + 1):
        for name, seconds in times.items():
            print(f"{name}: start {number + 1} of {repeats + 1}", file=sys.stderr, flush=True)
            started = time.perf_counter()
            with Process(
                *("-m", "benchmarks.starts", name, str(model), device),
                core=core,
                environment=environment,
                log=log,
                talks=True,
            ) as process:
                process.read_line()
                seconds.append(time.perf_counter() - started)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


async def start_project() -> str:
    from .inside import make_engine

    engine = make_engine()
    from myapi.engine import Job

    async for piece in engine.stream(Job(prompt="bada", max_new_tokens=2)):
        return str(piece)
    raise RuntimeError("nothing came")


def start_seed(path: Path, device: str) -> str:
    import modal  # noqa: F401 (as the seed's file and the project's do)

    from .seed import application

    app = application(path, device)
    (route,) = (route for route in app.routes if getattr(route, "path", "") == "/generate")
    return str(route.endpoint("bada", max_new_tokens=1))  # type: ignore[attr-defined]


def main() -> None:
    which, path, device = sys.argv[1:]
    if which == "project":
        print(asyncio.run(start_project()), flush=True)
    else:
        print(start_seed(Path(path), device), flush=True)


if __name__ == "__main__":
    main()
