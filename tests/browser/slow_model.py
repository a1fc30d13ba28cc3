"""A project of `inference` served with a model that is slow, busy or broken where the prompt says so."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator

from myapi import local, serve
from myapi.echo import EchoEngine
from myapi.engine import BusyError, Completion, EngineFailedError, Job

SECONDS = float(os.environ["SECONDS_FOR_A_WORD"])


class SlowEngine(EchoEngine):  # type: ignore[misc]
    """Echoes a word each moment; `busy` is refused at the door, and at `break` it breaks."""

    async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        if job.prompt.startswith("busy"):
            raise BusyError("Too many wait already")
        sent = 0
        try:
            async for item in super().stream(job):
                await asyncio.sleep(SECONDS)
                if item == " break":
                    raise EngineFailedError("The model broke")
                yield item
                sent += 1
        except (GeneratorExit, asyncio.CancelledError):
            print(f"given up after {sent} words", file=sys.stderr, flush=True)
            raise


local.EchoEngine = SlowEngine
serve.main()
