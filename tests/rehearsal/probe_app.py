"""A project that uses all of Modal's container runtime at once, to see that the rehearsal carries it.

It is copied into a package of its own and deployed from there.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import modal
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

PORT = 8000
HOST = "0.0.0.0"  # noqa: S104
PROJECT = Path(__file__).resolve().parents[2]

image = (
    modal.Image.debian_slim(python_version="3.13")
    .uv_sync(str(PROJECT), extra_options="--no-dev", uv_version="0.13.9")
    .add_local_python_source("probe")
)
app = modal.App("probe", image=image)


@app.cls(enable_memory_snapshot=True)
@modal.concurrent(max_inputs=10)
class Probe:
    @modal.enter(snap=True)
    def before(self) -> None:
        self.tasks = [os.environ["MODAL_TASK_ID"]]

    @modal.enter(snap=False)
    def after(self) -> None:
        self.tasks.append(os.environ["MODAL_TASK_ID"])

    @modal.exit()
    def goodbye(self) -> None:
        print("goodbye", flush=True)

    @modal.asgi_app()
    def web(self) -> FastAPI:
        return create_app(self.tasks)


@app.server(port=PORT, startup_timeout=10, unauthenticated=True)
class Server:
    @modal.enter()
    def start(self) -> None:
        serve = ["-m", "http.server", "--bind", HOST, str(PORT)]
        self.process = subprocess.Popen([sys.executable, *serve])

    @modal.exit()
    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def create_app(tasks: list[str]) -> FastAPI:
    web = FastAPI()
    go = asyncio.Event()
    left: list[str] = []

    @web.get("/tasks")
    async def task_ids() -> list[str]:
        return tasks

    @web.post("/digest")
    async def digest(request: Request) -> dict[str, str | int]:
        body = await request.body()
        return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    @web.get("/large")
    async def large(size: int) -> StreamingResponse:
        return StreamingResponse(iter([b"x" * size]))

    @web.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            try:
                yield "one\n"
                await go.wait()
                yield "two\n"
            except asyncio.CancelledError:
                left.append("stream")
                raise

        return StreamingResponse(lines(), media_type="text/event-stream")

    @web.post("/go")
    async def let_go() -> None:
        go.set()
        go.clear()

    @web.get("/left")
    async def who_left() -> list[str]:
        return left

    @web.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        await websocket.accept(offered[0] if offered else None)
        async for message in websocket.iter_text():
            if message == "close":
                await websocket.close(4321, "as you wish")
                return
            await websocket.send_bytes(message.encode())
        left.append("socket")

    return web
