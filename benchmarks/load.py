"""The load generator, in a process of its own: one cell a line in, one record a line out, both JSON.

python -m benchmarks.load ANSWERS
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import aiohttp

from .loop import Answer, Ask, Cell, Known, Record, measure, read_known


def project(session: aiohttp.ClientSession, url: str) -> Ask:
    """The rendered project, the manager's server and LitServe's, which take and give the same."""

    async def ask(prompt: str, length: int) -> Answer:
        body = {"prompt": prompt, "max_new_tokens": length, "temperature": 0}
        async with session.post(url, json=body) as response:
            answer = await response.json()
        return Answer(answer["generated"], answer["completion_tokens"])

    return ask


def stream(session: aiohttp.ClientSession, url: str) -> Ask:
    """The rendered project's server-sent events."""

    async def ask(prompt: str, length: int) -> Answer:
        body = {"prompt": prompt, "max_new_tokens": length, "temperature": 0, "stream": True}
        asked, first = time.perf_counter(), 0.0
        async with session.post(url, json=body) as response:
            async for name, data in events(response):
                if name == "done":
                    answer = json.loads(data)
                    return Answer(answer["generated"], answer["completion_tokens"], first - asked)
                if name != "text":
                    raise RuntimeError(f"{name}: {data!r}")
                first = first or time.perf_counter()
        raise RuntimeError("the stream broke off")

    return ask


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, bytes]]:
    name = ""
    async for line in response.content:
        field, _, value = line.rstrip().partition(b": ")
        if field == b"event":
            name = value.decode()
        elif field == b"data":
            yield name, value


def seed(session: aiohttp.ClientSession, url: str) -> Ask:
    """The seed's endpoint: parameters in the query, the prompt again in the answer."""

    async def ask(prompt: str, length: int) -> Answer:
        query: dict[str, str | int] = {"prompt": prompt, "max_new_tokens": length}
        async with session.post(url, params=query) as response:
            answer = await response.json()
        return Answer(answer["generated"].removeprefix(prompt))

    return ask


PROTOCOLS = {
    "project": project,
    "stream": stream,
    "seed": seed,
    "litserve": project,
    "manager": project,
}


async def run(side: str, url: str, known: Known, cell: Cell) -> Record:
    # As many connections as clients, each kept open: one for each.
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=cell.clients),
        timeout=aiohttp.ClientTimeout(total=300),
        raise_for_status=True,
    ) as session:
        return await measure(PROTOCOLS[side](session, url), known, cell)


def main() -> None:
    known = read_known(Path(sys.argv[1]).read_text())
    for line in sys.stdin:
        order = json.loads(line)
        record = asyncio.run(run(order["side"], order["url"], known, Cell(**order["cell"])))
        print(json.dumps(asdict(record)), flush=True)


if __name__ == "__main__":
    main()
