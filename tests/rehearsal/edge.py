"""The public URL of one container: HTTP and websockets from any client, as Modal's edge passes them on."""

import asyncio
import socket
from typing import Any

import uvicorn

from .worker import Message, Worker

CHUNK = 256 * 1024


class Edge:
    """An ASGI application that has each request answered by a container."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.requests = 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.requests += 1
        call = self.worker.call(scope)

        async def upload() -> None:
            message: Message = {"type": ""}
            while not message["type"].endswith(".disconnect"):
                message = await receive()
                call.put(message)

        uploading = asyncio.create_task(upload())
        answered = False
        try:
            async for message in call.answers():
                answered = True
                if not message["type"].startswith(scope["type"]):
                    self.worker.failed_inputs.append(
                        f"an ASGI message that Modal does not carry: {message}"
                    )
                    break
                await send(message)
        finally:
            uploading.cancel()
        if not answered and scope["type"] == "http":
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"modal-http: internal error"})


class Server(uvicorn.Server):
    """The edge on a free port of loopback."""

    def __init__(self, edge: Edge) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        super().__init__(
            uvicorn.Config(
                edge,
                lifespan="off",
                log_config=None,
                log_level="critical",
                server_header=False,
                date_header=False,
                proxy_headers=False,
                ws="websockets-sansio",
                timeout_graceful_shutdown=5,
            )
        )

    async def run_until_told(self) -> None:
        await self.serve(sockets=[self.socket])
