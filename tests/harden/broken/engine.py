"""An engine for two at once that is slow, and breaks on some prompts; it logs who left before the end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

from .engine import BusyError, Completion, EngineFailedError, Job, Message

log = logging.getLogger(__name__)


class BrokenEngine:
    ready = True
    status = "ready"

    def __init__(self) -> None:
        self.working = 0

    def chat(self, messages: Sequence[Message]) -> str:
        return messages[-1].content

    async def generate(self, job: Job) -> Completion:
        async for item in self.stream(job):
            if isinstance(item, Completion):
                return item
        raise AssertionError

    async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        if self.working == 2:
            raise BusyError("Two are at work")
        self.working += 1
        pieces = job.max_new_tokens or 8
        ended = False
        try:
            for number in range(pieces):
                if number == 2 and job.prompt == "fail":
                    raise EngineFailedError("The model failed: OutOfMemoryError")
                if number == 2 and job.prompt == "raise":
                    raise RuntimeError("the password is hunter2")
                yield f" {number}"
                await asyncio.sleep(0.1)
            ended = True
            yield Completion(
                text="", finish_reason="length", prompt_tokens=1, completion_tokens=pieces
            )
        finally:
            self.working -= 1
            log.info("freed", extra={"ended": ended, "working": self.working})

    async def close(self) -> None:
        self.ready = False
