"""Texts of many requests read together: each pass of the model takes as many of about one length as fit.

One thread owns the model. What waits is bounded, what is cancelled is left out of the next pass, and an error of the
model ends the requests that were in it. Knows nothing of models: `forward` may be any function.
"""

import asyncio
import contextlib
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .engine import BusyError, EngineFailedError

READY = "ready"
# After so many failures in a row the process ends: a broken GPU stays broken until another container takes over.
ATTEMPTS = 3
log = logging.getLogger(__name__)

Item = TypeVar("Item")
Values = list[float]


@dataclass(eq=False)
class Request(Generic[Item]):
    """The texts of one caller, and who is told when all of them are read."""

    items: Sequence[Item]
    lengths: Sequence[int]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[list[Values]]
    left: deque[int] = field(default_factory=deque)  # those that are not read yet, by their place
    values: dict[int, Values] = field(default_factory=dict)


class Batcher(Generic[Item]):
    """Reads texts.

    Args:
        forward: the model: texts of one pass, to the values of each.
        batch_tokens: at most so many tokens in one pass, padding included; a longer text goes alone.
        overhead: a pass takes about as long as so many tokens before it reads the first.
        queue: at most so many texts wait.
    """

    def __init__(
        self,
        forward: Callable[[Sequence[Item]], list[Values]],
        *,
        batch_tokens: int,
        overhead: int,
        queue: int,
    ) -> None:
        self.status = "loading"
        self._forward = forward
        self._batch_tokens = batch_tokens
        self._overhead = overhead
        self._queue = queue
        self._failures = 0
        self._changed = threading.Condition()
        self._waiting: deque[Request[Item]] = deque()
        self._until = float("inf")  # when to stop whatever is left
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        self.status = READY
        self._thread.start()

    @property
    def ready(self) -> bool:
        return self.status == READY and self._thread.is_alive()

    async def read(self, items: Sequence[Item], lengths: Sequence[int]) -> list[Values]:
        """The values of each, in the same order.

        Args:
            items: what the model takes.
            lengths: tokens of each.

        Raises:
            BusyError: when the line is full, or nothing is taken.
            EngineFailedError: when the model broke.
        """
        loop = asyncio.get_running_loop()
        request = Request(items, lengths, loop, loop.create_future(), deque(range(len(items))))
        with self._changed:
            if not self.ready:
                raise BusyError(f"The model is {self.status}")
            waiting = sum(len(each.left) for each in self._waiting)
            # One request may always come, however many texts it has.
            if waiting and waiting + len(items) > self._queue:
                raise BusyError("Too many texts are waiting already")
            self._waiting.append(request)
            self._changed.notify()
        return await request.done  # cancelled with its caller, and then left out

    def close(self, seconds: float) -> None:
        """Take no more; read what there is, for so many seconds at most, and end the thread."""
        with self._changed:
            self.status = "draining"
            self._until = time.monotonic() + seconds
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._wait():
                self._pass()
        except Exception:
            log.exception("giving up: the process ends, so that another container takes over")
            os._exit(1)
        finally:
            with self._changed:
                left = [*self._waiting]
                self._waiting.clear()
            for request in left:
                _tell(request, BusyError("The server is shutting down"))

    def _wait(self) -> bool:
        """Wait for work; say whether to go on."""
        with self._changed:
            while not self._waiting and self._until == float("inf"):
                self._changed.wait()
            return bool(self._waiting) and time.monotonic() < self._until

    def _pass(self) -> None:
        """One pass of the model: the text that has waited longest, and all that fit with it."""
        with self._changed:
            self._waiting = deque(each for each in self._waiting if not each.done.cancelled())
            texts = [(request, place) for request in self._waiting for place in request.left]
            if not texts:
                return
            lengths = [request.lengths[place] for request, place in texts]
            found = choose(lengths, self._batch_tokens, self._overhead)
            chosen = [texts[index] for index in found]
            # Next time another one is the first, so that many texts of one do not hold up the others.
            self._waiting.rotate(-1)
        try:
            read = self._forward([request.items[place] for request, place in chosen])
        except Exception as error:
            log.exception("the model failed")
            self._fail(dict.fromkeys(request for request, _ in chosen), error)
            return
        self._failures = 0
        for (request, place), values in zip(chosen, read, strict=True):
            request.values[place] = values
            request.left.remove(place)
            if not request.left:
                with self._changed:
                    self._waiting.remove(request)
                _tell(request, [request.values[index] for index in range(len(request.items))])

    def _fail(self, requests: Iterable[Request[Item]], error: Exception) -> None:
        # Not the error itself: it holds memory, and may tell of other texts.
        kind = type(error).__name__
        for request in requests:
            with self._changed:
                self._waiting.remove(request)
            _tell(request, EngineFailedError(f"The model failed: {kind}"))
        self._failures += 1
        if self._failures == ATTEMPTS:
            raise error


def choose(lengths: Sequence[int], most: int, overhead: int) -> list[int]:
    """The first text, and those of about its length: what is read together with it in less time than by itself.

    Args:
        lengths: tokens of each text that waits, all at least 1.
        most: tokens of a pass, where each text counts as much as the longest.
        overhead: less padding than so many tokens is cheaper than two passes.

    Returns:
        Their places, the first among them.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    low = high = order.index(0)
    total = lengths[0]
    while len(order) > high - low + 1:
        # The neighbour whose length is nearest to that of the first.
        shorter = lengths[0] - lengths[order[low - 1]] if low > 0 else math.inf
        longer = lengths[order[high + 1]] - lengths[0] if high < len(order) - 1 else math.inf
        new = low - 1 if shorter <= longer else high + 1
        count, longest = high - low + 2, lengths[order[max(high, new)]]
        total += lengths[order[new]]
        if count * longest > most or count * longest - total > overhead + total // 4:
            break
        low, high = min(low, new), max(high, new)
    return order[low : high + 1]


def _tell(request: Request[Item], result: list[Values] | Exception) -> None:
    def tell() -> None:
        if request.done.done():
            return
        if isinstance(result, Exception):
            request.done.set_exception(result)
        else:
            request.done.set_result(result)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        request.loop.call_soon_threadsafe(tell)
