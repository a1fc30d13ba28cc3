"""On a GPU: a step of the rendered engine that only answers, launched kernel by kernel and recorded, by turns.

python -m benchmarks.steps
"""

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from . import model
from .__main__ import render

# Requests that are answered at once, and tokens that each has behind it.
SIZES = [(1, 64), (1, 1_000), (8, 64), (32, 64), (32, 1_000), (64, 64), (64, 1_000)]
TURNS, STEPS = 3, 10
HEAD = "| requests | tokens each | launched ms | recorded ms | times as fast |"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(render(Path(folder)) / "src"))
        engine = make_engine(Path(folder) / "model")
        lines = [HEAD, "| --- " * 5 + "|", *(row(engine, *size) for size in SIZES)]
    print("\n".join(lines), flush=True)
    os._exit(0)  # the engine's thread waits for requests


def make_engine(path: Path) -> Any:
    from myapi.transformers_engine import TransformersEngine

    model.llama().save_pretrained(path)
    model.make_tokenizer(model.make_words()).save_pretrained(path)
    engine = TransformersEngine(path, device="cuda", max_prompt_tokens=1_024)
    engine.start()
    if engine._graphs is None:
        raise RuntimeError("Steps are not recorded on this machine")
    return engine


def row(engine: Any, rows: int, length: int) -> str:
    """Medians, in milliseconds, and the median of each turn's ratio."""
    graphs, took = engine._graphs, list[tuple[float, float]]()
    with torch.inference_mode():
        for _ in range(TURNS):
            engine._graphs = None
            launched = seconds(engine, rows, length)
            engine._graphs = graphs
            took.append((launched, seconds(engine, rows, length)))
    launched, recorded = (statistics.median(each) * 1e3 for each in zip(*took, strict=True))
    ratio = statistics.median(one / other for one, other in took)
    return f"| {rows} | {length} | {launched:.1f} | {recorded:.1f} | {ratio:.1f} |"


def seconds(engine: Any, rows: int, length: int) -> float:
    """One step, with the choice of its tokens, when it has run a few times."""
    from myapi.sampling import Sampling, choose
    from myapi.slots import Step

    greedy = [Sampling(0, 1, random.Random(0))] * rows

    def once() -> None:
        step = Step(engine.batcher._slots, [length] * rows, [], torch.device("cuda"))
        choose(engine._forward([1] * rows, step, list(range(rows))), greedy)

    for _ in range(STEPS // 3):
        once()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(STEPS):
        once()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / STEPS


if __name__ == "__main__":
    main()
