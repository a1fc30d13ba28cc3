"""A function that fails, waits or answers, as it is told."""

import asyncio

from pydantic import BaseModel


class Greeting(BaseModel):
    answer: str


async def hello(mode: str = "ok", seconds: float = 0) -> Greeting:
    if mode == "raise":
        raise RuntimeError("the password is hunter2")
    await asyncio.sleep(seconds)
    return Greeting(answer=mode)
