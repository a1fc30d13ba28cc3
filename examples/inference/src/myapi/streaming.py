"""An engine's stream as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable

from fastapi.sse import EventSourceResponse

from .engine import BusyError, Completion, EngineFailedError

# No proxy on the way may hold events back.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
PING = ": still there\n\n"
log = logging.getLogger(__name__)


def event(data: object, name: str = "") -> str:
    """One event; data that is no string yet becomes JSON."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n"


async def respond(
    items: AsyncGenerator[str | Completion],
    seconds: float,
    write: Callable[[str | Completion], str],
    fail: Callable[[int, str], str],
) -> EventSourceResponse:
    """Answer with what an engine streams.

    Args:
        items: from the engine.
        seconds: for the whole answer.
        write: makes events of a piece of text, and of the completion in the end.
        fail: makes an event of a status and a message, for an error after the first piece.

    Raises:
        Exception: what the engine says of a job that it does not take. It still has a status of its own then.
        TimeoutError: when the first piece did not come in time.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    async with asyncio.timeout_at(deadline):
        first = await anext(items)

    async def body() -> AsyncGenerator[str]:
        item = first
        try:
            while True:
                yield write(item) if item else PING
                if isinstance(item, Completion):
                    return
                async with asyncio.timeout_at(deadline):
                    item = await anext(items)
        except TimeoutError:
            yield fail(504, f"No answer within {seconds:g} seconds")
        except BusyError as error:
            yield fail(503, str(error))
        except EngineFailedError as error:
            yield fail(500, str(error))
        except Exception:
            log.exception("unhandled error in a stream")
            yield fail(500, "Internal server error")
        finally:
            await items.aclose()

    return EventSourceResponse(body(), headers=HEADERS)
