"""Continuous batching: requests join and leave between steps, and each step is one pass of the model for all.

One thread owns the model. What waits is bounded, what is cancelled leaves at the next step, and an error of the model
ends every request with an error and is followed by a fresh start.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection

import torch

from .engine import BusyError, Completion, EngineFailedError
from .request import Request, Result
from .sampling import choose
from .slots import Part, Slots, Step

READY = "ready"
# After so many failed starts in a row the process ends: a broken GPU stays broken until another container takes over.
ATTEMPTS = 3
log = logging.getLogger(__name__)

# Tokens, where they belong, and of which the scores are wanted; returns [wanted, vocabulary].
Forward = Callable[[list[int], Step, list[int]], torch.Tensor]


class Batcher:
    """Runs requests.

    Args:
        prepare: makes an empty cache, of one slot more than there may be requests at once, and warms the model up.
        forward: the model.
        device: of its input.
        end_tokens: any of them ends a text.
        chunk: at most so many tokens of prompts go into one step, so that those who wait for their next token
            do not wait long.
        queue: at most so many requests wait.
    """

    def __init__(
        self,
        prepare: Callable[[], Slots],
        forward: Forward,
        *,
        device: torch.device,
        end_tokens: Collection[int],
        chunk: int,
        queue: int,
    ) -> None:
        self.status = "loading"
        self._prepare = prepare
        self._forward = forward
        self._device = device
        self._end_tokens = frozenset(end_tokens)
        self._chunk = chunk
        self._queue = queue
        self.apart = 0  # steps that only answer, between two that also take prompts
        self._since = 0
        self._slots = Slots(0, 0)
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()  # the first may be partly in the last slot
        self._rows: list[Request] = []  # those that are answered; each one's place is its slot
        self._results: dict[asyncio.AbstractEventLoop, list[tuple[Request, Result]]] = {}
        self._until = float("inf")  # when to stop whatever is left
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Prepare, and begin to take requests. An error here stops the start."""
        self._slots = self._prepare()
        self.status = READY
        self._thread.start()

    @property
    def ready(self) -> bool:
        return self.status == READY and self._thread.is_alive()

    def submit(self, request: Request) -> None:
        """Put it in line.

        Raises:
            BusyError: when the line is full, or nothing is taken.
        """
        with self._changed:
            if not self.ready:
                raise BusyError(f"The model is {self.status}")
            free = self._slots.count - 1 - len(self._rows)
            if len(self._waiting) >= self._queue + free:
                raise BusyError("Too many requests are waiting already")
            self._waiting.append(request)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Take no more; finish what there is, for so many seconds at most, and end the thread."""
        with self._changed:
            self.status = "draining"
            self._until = time.monotonic() + seconds
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            with torch.inference_mode():
                while self._wait():
                    if failure := self._try_step():
                        self._end_all(EngineFailedError(f"The model failed: {failure}"))
                        self._restart()
        except Exception:
            log.exception("giving up: the process ends, so that another container takes over")
            os._exit(1)
        finally:
            self._end_all(BusyError("The server is shutting down"))

    def _wait(self) -> bool:
        """Wait for work; say whether to go on."""
        with self._changed:
            while not self._waiting and not self._rows and self._until == float("inf"):
                self._changed.wait()
            return bool(self._waiting or self._rows) and time.monotonic() < self._until

    def _try_step(self) -> str:
        """What kind of error ended it, if any. Not the error: it holds memory, and may tell of other prompts."""
        try:
            self._step()
        except Exception as error:
            log.exception("the model failed")
            return type(error).__name__
        return ""

    def _step(self) -> None:
        self._drop_cancelled()
        filling = self._admit()
        if not self._rows and not filling:
            return
        rows, parts = len(self._rows), [part for _, part in filling]
        step = Step(self._slots, [row.length for row in self._rows], parts, self._device)
        tokens, wanted, complete = [row.last for row in self._rows], list(range(rows)), []
        for request, part in filling:
            request.filled = part.start + part.count
            tokens += request.prompt[part.start : request.filled]
            if request.filled == len(request.prompt):
                wanted.append(len(tokens) - 1)
                complete.append((request, part.slot))
        answering = [*self._rows, *(request for request, _ in complete)]
        logits = self._forward(tokens, step, wanted)
        chosen = choose(logits, [request.sampling for request in answering])
        for place, (request, slot) in enumerate(complete, rows):
            if slot != place:
                self._slots.move(slot, place, request.length)
        with self._changed:
            for request, _ in complete:  # the first in line: only the last can be incomplete
                self._waiting.remove(request)
                self._rows.append(request)
        for index in reversed(range(len(chosen))):
            results = self._rows[index].take(chosen[index], self._end_tokens)
            for result in results:
                self._put(self._rows[index], result)
            if results and isinstance(results[-1], Completion):
                self._rows[index].batch = len(chosen)
                self._leave(index)
        self._deliver()

    def _admit(self) -> list[tuple[Request, Part]]:
        """What of whose prompt goes into the next step. One that does not fit in whole grows in the last slot."""
        filling: list[tuple[Request, Part]] = []
        self._since += 1
        if self._rows and self._since <= self.apart:
            return filling
        room, growing = self._chunk, False
        with self._changed:
            for request in self._waiting:
                if not room or len(self._rows) + len(filling) == self._slots.count - 1:
                    break
                count = min(room, len(request.prompt) - request.filled)
                whole = count == len(request.prompt)
                if growing and not whole:
                    break
                growing = growing or not whole
                slot = len(self._rows) + len(filling) if whole else self._slots.count - 1
                filling.append((request, Part(slot, request.filled, count)))
                request.started = request.started or time.perf_counter()
                room -= count
        if filling:
            self._since = 0
        return filling

    def _drop_cancelled(self) -> None:
        with self._changed:
            self._waiting = deque(each for each in self._waiting if not each.cancelled)
        for index in reversed(range(len(self._rows))):
            if self._rows[index].cancelled:
                self._leave(index)

    def _leave(self, index: int) -> None:
        """The last one takes the place of the one that leaves."""
        last = self._rows.pop()
        if index < len(self._rows):
            self._slots.move(len(self._rows), index, last.length)
            self._rows[index] = last

    def _put(self, request: Request, result: Result) -> None:
        self._results.setdefault(request.loop, []).append((request, result))

    def _deliver(self) -> None:
        """Hand over what there is, to each event loop at once."""
        for loop, results in self._results.items():
            with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
                loop.call_soon_threadsafe(_hand_over, results)
        self._results = {}

    def _end_all(self, error: Exception) -> None:
        with self._changed:
            if isinstance(error, EngineFailedError) and self._until == float("inf"):
                self.status = "failed"
            ended = [*self._rows, *self._waiting]
            self._rows.clear()
            self._waiting.clear()
        for request in ended:
            self._put(request, error)
        self._deliver()

    def _restart(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._slots = Slots(0, 0)  # or the memory would have to hold two of them
                self._slots = self._prepare()
                break
            except Exception:
                log.exception("the model did not start again", extra={"attempt": attempt})
                if attempt == ATTEMPTS:
                    raise
                time.sleep(attempt)
        with self._changed:
            if self.status == "failed":
                self.status = READY


def _hand_over(results: list[tuple[Request, Result]]) -> None:
    """On the event loop."""
    for request, result in results:
        request.results.put_nowait(result)
