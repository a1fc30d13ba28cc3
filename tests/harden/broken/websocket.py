"""A conversation that fails, waits or blocks, as it is told."""

import asyncio
import time

from .connection import Connection, Message


async def on_message(message: Message, connection: Connection) -> Message:
    if message == "raise":
        raise RuntimeError("the password is hunter2")
    if message == "slow":
        await asyncio.sleep(1)
    if message == "block":
        time.sleep(2)  # noqa: ASYNC251 (that is the fault)
    return f"Echo: {message}"


async def is_ready() -> bool:
    return True
