"""What this endpoint does. Yours: the template never changes this file after it wrote it."""

from .connection import Connection, Message


async def on_message(message: Message, connection: Connection) -> Message | None:
    """Answer a client's message: text, or a JSON object. None sends nothing.

    The messages of one socket come here one after another, also those of a client that has left meanwhile;
    those of several at the same time, so whatever blocks belongs into `asyncio.to_thread`.
    `await connection.send(…)` sends more than the one answer, and `raise Close(4000, "…")` from
    `.connection` ends the socket with a code of your own.
    """
    if isinstance(message, str):
        return f"Echo: {message}"
    return {"type": "echo", "message": message}


async def is_ready() -> bool:
    """Tell `/ready` whether messages can be answered now: a database is reachable, a cache is warm."""
    return True
