"""Another conversation: it counts words and hangs up at none."""

from .connection import Close, Connection, Message


async def on_message(message: Message, connection: Connection) -> Message:
    if not message:
        raise Close(4000, "nothing to count")
    return {"words": len(str(message).split())}


async def is_ready() -> bool:
    return True
