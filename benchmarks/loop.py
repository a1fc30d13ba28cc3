"""A closed loop: so many clients, each asking again as soon as it has its answer."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

FIXED = (32,)
MIXED = (8, 8, 16, 16, 24, 32, 48, 104)
WORKLOADS = {"fixed": FIXED, "mixed": MIXED}
LENGTHS = (*FIXED, *MIXED)


@dataclass(frozen=True)
class Cell:
    """What is measured at once. `seed` fixes prompts, lengths and their order."""

    clients: int
    workload: str
    warmup: float  # seconds, at least
    seconds: float  # at least
    seed: int


@dataclass(frozen=True)
class Answer:
    text: str  # without the prompt
    tokens: int | None = None  # as the side counts them, where it does
    first: float | None = None  # seconds to the first of the text, where it comes in pieces


@dataclass(frozen=True)
class Record:
    """What came of a cell: rates per second, times in seconds."""

    requests: float
    tokens: float
    p50: float
    p99: float
    first: float | None  # median
    answers: int
    differing: int  # of them, texts unlike `generate`'s
    others: float | None = None  # share of the server's core that other processes took


Ask = Callable[[str, int], Awaitable[Answer]]
Known = dict[str, dict[int, str]]


def work(known: Known, cell: Cell) -> Iterator[tuple[str, int]]:
    """Prompts and lengths without end, the same for each side."""
    numbers = random.Random(cell.seed)
    prompts = list(known)
    while True:
        lengths = WORKLOADS[cell.workload]
        for length in numbers.sample(lengths, k=len(lengths)):
            yield numbers.choice(prompts), length


async def measure(ask: Ask, known: Known, cell: Cell) -> Record:
    """Run the loop. Any failed request fails it.

    The clock starts with an answer, after the warm-up and when each client has had one, and stops with an answer, after
    `seconds` and when there are two for each client. Requests on their way then are waited for, and do not count.
    """
    loop = asyncio.get_running_loop()
    todo = work(known, cell)
    warm_at = loop.time() + cell.warmup
    warm: set[int] = set()
    started = stopped = 0.0
    done: list[tuple[float, int, Answer, bool]] = []

    async def client(number: int) -> None:
        nonlocal started, stopped
        while not stopped:
            prompt, length = next(todo)
            asked = time.perf_counter()
            answer = await ask(prompt, length)
            now = time.perf_counter()
            if answer.tokens not in (None, length):
                raise RuntimeError(f"{answer.tokens} tokens came, {length} were asked for")
            if stopped:
                return
            if started:
                done.append((now - asked, length, answer, answer.text != known[prompt][length]))
                if now - started >= cell.seconds and len(done) >= 2 * cell.clients:
                    stopped = now
            else:
                warm.add(number)
                if loop.time() >= warm_at and len(warm) == cell.clients:
                    started = now

    async with asyncio.TaskGroup() as clients:
        for number in range(cell.clients):
            clients.create_task(client(number))
    times = sorted(seconds for seconds, *_ in done)
    firsts = [answer.first for _, _, answer, _ in done if answer.first is not None]
    return Record(
        requests=len(done) / (stopped - started),
        tokens=sum(length for _, length, *_ in done) / (stopped - started),
        p50=statistics.median(times),
        p99=times[int(len(times) * 0.99)],
        first=statistics.median(firsts) if firsts else None,
        answers=len(done),
        differing=sum(differs for *_, differs in done),
    )


def read_known(text: str) -> Known:
    """What `model.answers` made, out of JSON."""
    return {
        prompt: {int(length): words for length, words in by_length.items()}
        for prompt, by_length in json.loads(text).items()
    }
