"""A load generator in a process of its own, pinned to a core: `python -m harden.generator PLAN`, which prints a result.

Closed loop: each client sends its next request when it has its answer. Open loop: requests are due at a fixed rate,
whether or not the last one was answered, and an answer's time counts from when its request was due. Otherwise a server
that stands still would be asked less, and look well.
"""

import asyncio
import json
import os
import sys
import time
from collections import defaultdict, deque
from dataclasses import asdict, dataclass, field

import uvloop

# Stands in a request once or several times, and at least once in the answer to it: the request's own number.
MARK = b"n00000000"
PATIENCE = 10.0  # seconds for the last answers
# Not the loop's own clock: uvloop's has milliseconds, and an answer takes less than one.
now = time.perf_counter


@dataclass(frozen=True)
class Plan:
    """What to send.

    Attributes:
        request: as it goes over the wire, with MARK where its number goes.
        rate: requests a second; 0 is a closed loop.
        core: of the generator; negative is any.
    """

    port: int
    request: str
    clients: int
    seconds: float
    rate: float = 0.0
    core: int = -1


@dataclass
class Result:
    """What came back.

    Attributes:
        answered: requests with the right answer, each of them distinct.
        errors: the first few of those that had none.
        p50, p99, longest: seconds until an answer.
        steady: p99 / p50 of the median second. A second in which the machine itself stood still spoils only its own.
        lateness: by how much the generator itself was late, p99 in seconds.
    """

    answered: int
    wrong: int
    errors: list[str]
    p50: float
    p99: float
    longest: float
    steady: float
    lateness: float
    seconds: float

    @property
    def throughput(self) -> float:
        return self.answered / self.seconds

    @property
    def ratio(self) -> float:
        return self.p99 / self.p50 if self.p50 else float("inf")


@dataclass
class Load:
    """The requests of one plan, handed out to clients."""

    plan: Plan
    template: bytes
    until: float = 0.0
    number: int = 0
    wrong: int = 0
    errors: list[str] = field(default_factory=list)
    answers: list[tuple[float, float]] = field(default_factory=list)  # when, and after how long
    lateness: list[float] = field(default_factory=list)
    due: "deque[float]" = field(default_factory=deque)
    idle: "deque[Client]" = field(default_factory=deque)

    async def run(self) -> Result:
        loop = asyncio.get_running_loop()
        clients = [Client(self, loop) for _ in range(self.plan.clients)]
        await asyncio.gather(*(client.connect() for client in clients))
        started = now()
        self.until = started + self.plan.seconds
        if self.plan.rate:
            self.idle.extend(clients)
            await self.arrive(started)
        else:
            for client in clients:
                client.send(started)
            await self.tick()
        for _ in range(int(PATIENCE / 0.01)):
            if any(client.busy for client in clients):
                await asyncio.sleep(0.01)
        seconds = now() - started
        for client in clients:
            if client.busy:
                self.fail("never answered")
            client.close()
        times, late = sorted(taken for _, taken in self.answers), sorted(self.lateness)
        return Result(
            len(times),
            self.wrong,
            self.errors,
            at(times, 0.5),
            at(times, 0.99),
            at(times, 1.0),
            self.steady(),
            at(late, 0.99),
            seconds,
        )

    async def arrive(self, started: float) -> None:
        """Let requests come at the plan's rate."""
        for count in range(int(self.plan.rate * self.plan.seconds)):
            due = started + count / self.plan.rate
            left = due - now()
            while left > 0:
                # Timers have milliseconds, which is what a request takes: the rest is turns of the loop.
                await asyncio.sleep(left - 0.002 if left > 0.003 else 0)
                left = due - now()
            self.lateness.append(now() - due)
            if self.idle:
                self.idle.popleft().send(due)
            else:
                self.due.append(due)

    async def tick(self) -> None:
        """Measure how late this process is while clients keep themselves busy."""
        while (begun := now()) < self.until:
            await asyncio.sleep(0.01)
            self.lateness.append(max(0.0, now() - begun - 0.01))

    def finish(self, client: "Client") -> None:
        if self.due:
            client.send(self.due.popleft())
        elif self.plan.rate:
            self.idle.append(client)
        elif (begun := now()) < self.until:
            client.send(begun)

    def steady(self) -> float:
        seconds: defaultdict[int, list[float]] = defaultdict(list)
        for end, taken in self.answers:
            seconds[int(end)].append(taken)
        each = [sorted(times) for times in seconds.values() if len(times) >= 100]
        return at(sorted(at(times, 0.99) / at(times, 0.5) for times in each), 0.5)

    def fail(self, why: str) -> None:
        self.wrong += 1
        if len(self.errors) < 5:
            self.errors.append(why)


class Client(asyncio.Protocol):
    """One connection, which is opened again where the server closes it."""

    def __init__(self, load: Load, loop: asyncio.AbstractEventLoop) -> None:
        self.load, self.loop = load, loop
        self.transport: asyncio.Transport | None = None
        self.busy = False
        self.since = 0.0
        self.mark = self.head = b""
        self.received = bytearray()
        self.opening: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        transport, _ = await self.loop.create_connection(
            lambda: self, "127.0.0.1", self.load.plan.port
        )
        self.transport = transport

    def send(self, since: float) -> None:
        self.load.number += 1
        self.mark = b"n%08d" % self.load.number
        self.busy, self.since = True, since
        self.received.clear()
        if self.transport:
            self.transport.write(self.load.template.replace(MARK, self.mark))
        else:
            self.opening = self.loop.create_task(self.open())

    async def open(self) -> None:
        try:
            await self.connect()
        except OSError as error:
            self.end(f"no connection: {error}")
            return
        assert self.transport
        self.transport.write(self.load.template.replace(MARK, self.mark))

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        fields = bytes(head).lower().split(b"\r\n")
        length = [line[15:] for line in fields if line.startswith(b"content-length:")]
        if not length:
            self.end(f"an answer without a length: {bytes(head[:80])!r}")
        elif len(body) >= int(length[0]):
            if fields[0].startswith(b"http/1.0") or b"connection: close" in fields:
                self.close()
            right = fields[0].split()[1] == b"200" and self.mark in self.received
            self.end("" if right else f"a wrong answer: {bytes(self.received[:200])!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is None:
            return
        self.transport = None
        if self.busy:
            self.end("cut off")

    def end(self, error: str) -> None:
        self.busy = False
        if error:
            self.load.fail(error)
        else:
            end = now()
            self.load.answers.append((end, end - self.since))
        self.load.finish(self)

    def close(self) -> None:
        if self.transport:
            transport, self.transport = self.transport, None
            transport.close()


def at(ordered: list[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.core >= 0:
        os.sched_setaffinity(0, {plan.core})
    load = Load(plan, plan.request.encode())
    print(json.dumps(asdict(uvloop.run(load.run()))))


if __name__ == "__main__":
    main()
