"""A route that fails beside the starter's way to the model."""

import asyncio

from fastapi import APIRouter

router = APIRouter()


@router.get("/ok")
async def ok() -> dict[str, str]:
    return {"answer": "ok"}


@router.get("/raise")
def fail() -> None:
    raise RuntimeError("the password is hunter2")


@router.get("/slow")
async def wait(seconds: float) -> dict[str, str]:
    await asyncio.sleep(seconds)
    return {"answer": "slow"}
