"""On a GPU: steps that only answer, recorded once for each size and played again.

A step is some hundreds of kernels, and most run shorter than Python takes to launch one, so the GPU waits for them.
A recording is launched at once: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .slots import Slots, Step

log = logging.getLogger(__name__)

# A recording looks at this many tokens of each slot, or at twice as many, or at four times.
SHORTEST = 256

# The tokens of a step, [1, rows]; returns [rows, vocabulary].
Score = Callable[[torch.Tensor, Step], torch.Tensor]


@dataclass(frozen=True)
class Recording:
    tokens: torch.Tensor
    step: Step
    play: Callable[[], torch.Tensor]


class Graphs:
    """Records a size when it first comes, which takes some tenths of a second.

    Args:
        score: the model.
        slots: the cache. Its last slot is no row's.
    """

    def __init__(self, score: Score, slots: Slots) -> None:
        self._score = score
        self._slots = slots
        self._recordings: dict[tuple[int, int], Recording] = {}
        self._pool: Any = None  # the memory of one serves all: they never run at the same time

    def run(self, tokens: torch.Tensor, step: Step) -> torch.Tensor:
        """Score the tokens of a step without parts of prompts, [1, rows]. The next call overwrites what this returns.

        Rows that only fill up a size write to slots that are free, where the next prompt overwrites it before anybody looks.
        """
        rows = min(power(step.rows), self._slots.count - 1)
        size = rows, min(max(SHORTEST, power(step.longest)), self._slots.length)
        recording = self._recordings.get(size)
        if recording is None:
            recording = self._recordings[size] = self._prepared(tokens, step, size)
        recording.tokens[:, : step.rows] = tokens
        recording.step.take(step)
        return recording.play()[: step.rows]

    def gain(self) -> float:
        """How many recorded steps take as long as one that is not."""
        device = torch.device("cuda")
        tokens, step = torch.tensor([[0]], device=device), Step(self._slots, [2], [], device)

        def seconds(run: Score) -> float:
            run(tokens, step)
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(5):
                run(tokens, step)
            torch.cuda.synchronize()
            return time.perf_counter() - began

        return seconds(self._score) / seconds(self.run)

    def _prepared(self, tokens: torch.Tensor, step: Step, size: tuple[int, int]) -> Recording:
        rows, longest = size
        fixed, wide = Step(self._slots, [0] * rows, [], tokens.device), tokens.new_zeros(1, rows)
        fixed.longest = longest

        def run() -> torch.Tensor:
            fixed.forget()  # so that each time makes its own mask
            return self._score(wide, fixed)

        # It runs once before it is recorded, so it is this very step from the beginning.
        wide[:, : step.rows] = tokens
        fixed.take(step)
        return Recording(wide, fixed, self._record(run))

    def _record(self, run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        """Record what it does on the GPU."""
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        run()  # libraries make what they need at their first call, which no recording may hold
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            scores = run()

        def play() -> torch.Tensor:
            graph.replay()
            return scores

        return play


def prepare(score: Score, slots: Slots, device: torch.device) -> Graphs | None:
    """Recordings of this model, begun with the smallest size; None where it cannot be recorded."""
    graphs = Graphs(score, slots)
    try:
        graphs.run(torch.tensor([[0]], device=device), Step(slots, [2], [], device))
    except RuntimeError as error:  # it waits for the GPU in between, to look at a number
        log.warning("steps are not recorded", extra={"why": str(error)})
        return None
    return graphs


def power(number: int) -> int:
    """The least power of two that is not below it."""
    return 1 << (number - 1).bit_length()
