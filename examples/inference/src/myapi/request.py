"""One job on its way: what it waits for, how far it is, and what comes of it."""

import asyncio
import time
from collections.abc import Collection

from .engine import Completion
from .sampling import Sampling
from .text import TextStream

Result = str | Completion | Exception


class Request:
    """One job on its way. Made on an event loop, which gets what comes of it in `results`.

    Args:
        prompt: tokens, one or more.
        limit: how many to add at most.
        sampling: how each is chosen.
        text: what they say.
        interval: seconds between pieces of the text; None where it is wanted only in the end.
    """

    def __init__(
        self,
        prompt: list[int],
        limit: int,
        sampling: Sampling,
        text: TextStream,
        *,
        interval: float | None,
    ) -> None:
        self.prompt = prompt
        self.limit = limit
        self.sampling = sampling
        self.text = text
        self.interval = interval
        self.unsent = ""  # text that waits for the next piece
        self.due = 0.0  # when that may be sent
        self.loop = asyncio.get_running_loop()
        self.results: asyncio.Queue[Result] = asyncio.Queue()
        self.cancelled = False
        self.filled = 0  # so many tokens of the prompt are in the cache
        self.new = 0  # so many were added
        self.last = -1  # the newest, which is not in the cache yet
        self.batch = 0  # requests in the step that it left after
        self.submitted = time.perf_counter()
        self.started = self.first = 0.0  # when its prompt went in, when its first token came

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        return len(self.prompt) + max(0, self.new - 1)

    def take(self, token: int, end_tokens: Collection[int]) -> list[str | Completion]:
        """Add a token; return what that brings."""
        now = time.perf_counter()
        self.first = self.first or now
        self.new += 1
        self.last = token
        due = self.interval is not None and now >= self.due
        if ended := token in end_tokens:
            pass
        elif due or self.text.stop:
            self.unsent += self.text.push(token)
        else:
            self.text.add(token)
        if not ended and not self.text.stopped and self.new < self.limit:
            if not due or not self.unsent:
                return []
            self.due = now + (self.interval or 0)
            piece, self.unsent = self.unsent, ""
            return [piece]
        piece = self.unsent + self.text.finish()
        completion = Completion(
            text=self.text.text,
            finish_reason="stop" if ended or self.text.stopped else "length",
            prompt_tokens=len(self.prompt),
            completion_tokens=self.new,
        )
        return [completion] if self.interval is None or not piece else [piece, completion]

    def timings(self) -> dict[str, float]:
        """Where the time of an answer went, for the log line that has its id."""
        seconds = max(time.perf_counter() - self.first, 1e-9)
        return {
            "prompt_tokens": len(self.prompt),
            "completion_tokens": self.new,
            "queued_ms": round((self.started - self.submitted) * 1000, 1),
            "first_token_ms": round((self.first - self.submitted) * 1000, 1),
            "tokens_per_second": round((self.new - 1) / seconds, 1),
            "batch": self.batch,
        }
