"""Who hangs up is not waited for: https://asgi.readthedocs.io/en/latest/specs/www.html#disconnect-receive-event"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class CancelOnDisconnect:
    """Cancels the application's work on a request when its client is gone. FastAPI alone goes on to the end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # One message at a time, so that a large body waits at the client.
        messages: asyncio.Queue[Message] = asyncio.Queue(1)
        answered = gone = False

        async def send_on(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered = True  # what still runs is meant to: background tasks
            await send(message)

        async def watch() -> None:
            nonlocal gone
            while (message := await receive())["type"] != "http.disconnect":
                await messages.put(message)
            if answered:
                await messages.put(message)
            else:
                gone = True
                work.cancel()

        work = asyncio.ensure_future(self.app(scope, messages.get, send_on))
        watching = asyncio.create_task(watch())
        try:
            await work
        except asyncio.CancelledError:
            work.cancel()
            if not gone:
                raise
        finally:
            watching.cancel()
