"""Routes that fail, wait, block, and never come to an end."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

router = APIRouter()
log = logging.getLogger(__name__)


@router.get("/ok")
async def ok() -> dict[str, str]:
    return {"answer": "ok"}


@router.get("/raise")
def fail() -> None:
    raise RuntimeError("the password is hunter2")


@router.get("/late")
def fail_late() -> StreamingResponse:
    def body() -> Iterator[bytes]:
        yield b"so far so good"
        time.sleep(0.2)
        raise RuntimeError("the password is hunter2")

    return StreamingResponse(body())


@router.get("/slow")
async def wait(seconds: float) -> dict[str, str]:
    await asyncio.sleep(seconds)
    log.info("waited to the end")
    return {"answer": "slow"}


@router.get("/slow-thread")
def wait_in_a_thread(seconds: float) -> dict[str, str]:
    time.sleep(seconds)
    return {"answer": "slow"}


@router.get("/block")
async def block(seconds: float) -> dict[str, str]:
    time.sleep(seconds)  # noqa: ASYNC251 (that is the fault)
    return {"answer": "blocked"}


@router.get("/stream")
async def stream(pieces: int) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        sent = 0
        try:
            for number in range(pieces):
                yield b"%d\n" % number
                sent += 1
                await asyncio.sleep(0.1)
        finally:
            log.info("stream", extra={"sent": sent})

    return StreamingResponse(body())


async def is_ready() -> bool:
    return True
