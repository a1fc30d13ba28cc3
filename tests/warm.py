"""pytest in a process that has torch and transformers already, whose import takes longer than most tests.

`python warm.py` reads a line for each run, forks, and answers with a line: pytest's exit status, or below 0 the signal
that ended it. What pytest printed is in the file that the line names.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import family

# What the projects import, and none that is a plugin of pytest, which rewrites those.
MODULES = (
    *("torch", "transformers", "tokenizers.models", "safetensors.torch", "huggingface_hub"),
    *("transformers.models.auto.modeling_auto", "transformers.models.bert.modeling_bert"),
    *("transformers.models.llama.modeling_llama", "transformers.pytorch_utils"),
    *("modal", "uvicorn", "openai", "httpx2", "pytest"),
)
SECONDS = 300  # of one run


class Warm:
    """The process, from the side of a test."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # torch would take every core, and another test runs beside this one
            env=os.environ | family.OWN_PLUGINS | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            text=True,
        )

    def run(self, project: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """The project's tests: exit status, and all that was printed."""
        log = project.with_name(f"{project.name}.log")
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(project), options, str(log)]) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess([project.name, *options], status, log.read_text(), "")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def serve() -> None:
    for name in MODULES:
        importlib.import_module(name)
    for line in sys.stdin:
        project, options, log = json.loads(line)
        child = os.fork()
        if not child:
            end(Path(project), options, Path(log))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def end(project: Path, options: Sequence[str], log: Path) -> NoReturn:
    """Run the tests, and end this process without what its parent would do at its end."""
    status = 1
    try:
        status = run(project, options, log)
    except BaseException:  # noqa: BLE001  (the log says it)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run(project: Path, options: Sequence[str], log: Path) -> int:
    signal.alarm(SECONDS)
    with log.open("w") as out:
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.chdir(project)
    os.environ["PYTHONPATH"] = str(project / "src")
    sys.path[:1] = [str(project), str(project / "src")]  # in place of this file's folder
    import pytest

    return int(pytest.main(["--color=no", *options]))


if __name__ == "__main__":
    serve()
