"""One socket: what its messages are, how large and how many they may be, and how it ends."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from pydantic_core import from_json, to_json
from starlette.websockets import WebSocketState

from .settings import Settings

Message = str | dict[str, Any]

# An application cannot send the protocol's own pings, and under Modal no server sends them for it.
PING, PONG = {"type": "ping"}, {"type": "pong"}
# https://modal.com/docs/guide/webhooks#websockets
MODAL_MAX_BYTES = 2 * 1024 * 1024
log = logging.getLogger(__name__)


class Close(Exception):
    """Ends a socket, with a code of https://www.iana.org/assignments/websocket/ and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        # More does not fit into a frame.
        self.reason = reason.encode()[:123].decode(errors="ignore")


class Connection:
    def __init__(self, websocket: WebSocket, settings: Settings) -> None:
        self._websocket = websocket
        self._settings = settings
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._received = 0
        self._allowance = float(settings.message_burst)
        self._counted = self._started

    async def send(self, message: Message) -> None:
        """Send text, or an object as JSON. Any task may.

        Raises:
            Close: when the client does not read what it is sent.
        WebSocketDisconnect: when the server stops, and has said so to the client.
        """
        text = (
            message if isinstance(message, str) else to_json(message, inf_nan_mode="null").decode()
        )
        if len(text.encode()) > MODAL_MAX_BYTES:
            raise ValueError("Modal passes messages of up to 2 MiB: send it in parts")
        if self._websocket.application_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnect(1012, "the server stops")
        try:
            async with asyncio.timeout(self._settings.send_seconds):
                await self._websocket.send_text(text)
        except TimeoutError:
            raise Close(1008, "does not read what it is sent") from None
        await asyncio.sleep(0)  # which is the others' turn, even where sending did not have to wait

    async def serve(
        self, on_message: Callable[[Message, "Connection"], Awaitable[Message | None]]
    ) -> None:
        """Answer messages until one side ends the socket, and log how it ended."""
        end: Close | WebSocketDisconnect = Close(1006, "cut off")  # unless it ends by itself
        try:
            while True:
                answer = await on_message(await self._next_message(), self)
                if answer is not None:
                    await self.send(answer)
        except (Close, WebSocketDisconnect) as reason:
            end = reason
        except Exception:
            log.exception("unhandled error")
            end = Close(1011, "internal error")
        finally:
            log.info(
                "socket",
                extra={
                    "code": end.code,
                    "reason": end.reason,
                    "messages": self._received,
                    "seconds": round(self._clock() - self._started, 1),
                },
            )
        if isinstance(end, Close):
            # The client may be gone meanwhile, or still not read.
            with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(self._settings.send_seconds):
                    await self._websocket.close(end.code, end.reason)

    async def _next_message(self) -> Message:
        """Wait for a message that is the handler's business."""
        while True:
            text = await self._receive()
            self._spend_allowance()
            if len(text.encode()) > self._settings.max_message_bytes:
                raise Close(1009, f"larger than {self._settings.max_message_bytes} bytes")
            try:
                message = parse(text)
            except ValueError as error:
                await self.send({"type": "error", "detail": f"Not a JSON object: {error}"})
                continue
            if message == PING:
                await self.send(PONG)
            elif message != PONG:
                self._received += 1
                return message

    async def _receive(self) -> str:
        """Wait for any text, and ping a client that is silent."""
        idle = self._clock() + self._settings.idle_seconds
        session = self._started + self._settings.session_seconds
        while True:
            ping = self._clock() + self._settings.ping_seconds
            deadline = min(ping, idle, session)
            try:
                async with asyncio.timeout_at(deadline):
                    event = await self._websocket.receive()
                break
            except TimeoutError:
                if deadline == session:
                    raise Close(1012, "the session is over: connect again") from None
                # Not 1001, at which many clients connect again.
                if deadline == idle:
                    raise Close(1000, "idle") from None
            await self.send(PING)
        if event["type"] == "websocket.disconnect":
            # Modal's names no code.
            raise WebSocketDisconnect(event.get("code", 1005), event.get("reason"))
        text = event.get("text")
        if text is None:
            raise Close(1003, "text and JSON only")
        return str(text)

    def _spend_allowance(self) -> None:
        """Take one message from the client's allowance, which grows with time."""
        now = self._clock()
        grown = self._allowance + (now - self._counted) * self._settings.messages_per_second
        self._allowance = min(grown, self._settings.message_burst) - 1
        self._counted = now
        if self._allowance < 0:
            raise Close(1008, "too many messages")


def parse(text: str) -> Message:
    """Text is itself, unless it begins as a JSON object does: then it must be one.

    Raises:
        ValueError: when it is none, is nested too deeply, or holds NaN or half a character, which could not
            be sent back.
    """
    if not text.lstrip(" \t\r\n").startswith("{"):
        return text
    message: dict[str, Any] = from_json(text, allow_inf_nan=False)
    return message
