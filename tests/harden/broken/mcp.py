"""A tool and routes that fail and wait."""

import asyncio
import logging
from collections.abc import AsyncIterator

from mcp.server import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

server = MCPServer(__package__, subscriptions=False)
log = logging.getLogger(__name__)


@server.tool()
def fail() -> str:
    raise RuntimeError("the password is hunter2")


@server.custom_route("/ok", methods=["GET"])
async def ok(_: Request) -> Response:
    return JSONResponse({"answer": "ok"})


@server.custom_route("/raise", methods=["GET"])
async def fail_in_a_route(_: Request) -> Response:
    raise RuntimeError("the password is hunter2")


@server.custom_route("/late", methods=["GET"])
async def fail_late(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"so far so good"
        await asyncio.sleep(0.2)
        raise RuntimeError("the password is hunter2")

    return StreamingResponse(body())


@server.custom_route("/slow", methods=["GET"])
async def wait(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params["seconds"]))
    return JSONResponse({"answer": "slow"})


async def is_ready() -> bool:
    return True
