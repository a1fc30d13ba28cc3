"""pytest in a process forked from one that has torch and transformers, whose import takes longer than most tests."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# What the projects import, and none that is a plugin of pytest, which rewrites those.
MODULES = [
    *("torch", "transformers", "tokenizers.models", "safetensors.torch", "huggingface_hub"),
    *("transformers.models.auto.modeling_auto", "transformers.models.bert.modeling_bert"),
    *("transformers.models.llama.modeling_llama", "transformers.pytorch_utils"),
    *("modal", "uvicorn", "openai", "httpx2", "pytest"),
]
SECONDS = 600  # of one run


def run(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The project's tests: exit status, below 0 the signal that ended them, and all that was printed.

    The first process here takes its environment from this one, and all others from the first.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    log = project.with_name(f"{project.name}.log")
    process = context.Process(target=_run, args=(project, options, log))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    status = process.exitcode
    assert status is not None
    return subprocess.CompletedProcess([project.name, *options], status, log.read_text(), "")


def _run(project: Path, options: Sequence[str], log: Path) -> None:
    with log.open("w") as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
    os.chdir(project)
    os.environ["PYTHONPATH"] = str(project / "src")
    sys.path[:0] = [str(project), str(project / "src")]
    import pytest

    sys.exit(pytest.main(["--color=no", *options]))
