"""What a crowd of clients sees of one socket server."""

import asyncio
import contextlib
import itertools
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harden.service import Service

WINDOW = 10  # messages of a client on their way at once
PATIENCE = 120.0  # seconds, for all of a crowd
RESTART = (
    1012  # https://www.iana.org/assignments/websocket/: the service is restarted, connect again
)


@dataclass(frozen=True)
class Crowd:
    clients: int
    messages: int  # of each client


@dataclass
class Seen:
    """Distinct cases, how many are the least, and what went wrong (the first few of a kind)."""

    least: int
    cases: set[object] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    outcome: str = ""

    def fail(self, why: str) -> None:
        if len(self.failures) < 5:
            self.failures.append(why)


def echo(service: Service, crowd: Crowd) -> Seen:
    """Every client sends its messages and gets each back, once and in order."""
    return asyncio.run(_echo(service, crowd))


async def _echo(service: Service, crowd: Crowd) -> Seen:
    seen = Seen(crowd.clients * crowd.messages)
    async with sockets(service, crowd.clients) as clients:
        started = time.monotonic()
        talks = [_talk(client, n, crowd.messages, seen) for n, client in enumerate(clients)]
        await asyncio.gather(*talks)
        took = time.monotonic() - started
    rate = len(seen.cases) / took
    seen.outcome = f"{crowd.clients:,} clients, {len(seen.cases):,} messages, {rate:,.0f}/s"
    return seen


async def _talk(client: ClientConnection, number: int, messages: int, seen: Seen) -> None:
    window = asyncio.Semaphore(WINDOW)
    sent = [f"{number}:{count}" for count in range(messages)]
    # The last one, after which nothing may come, shows what was doubled.
    sender = asyncio.create_task(_send(client, [*sent, "over"], window))
    try:
        async with asyncio.timeout(PATIENCE):
            for place, expected in enumerate([*sent, "over"]):
                got = await said(client)
                if got != f"Echo: {expected}":
                    seen.fail(f"client {number} got {got!r} for message {place}, {expected!r}")
                    return
                if expected != "over":
                    seen.cases.add(got)
                window.release()
    except (TimeoutError, ConnectionClosed) as error:
        seen.fail(f"client {number} lost what it sent: {error!r}")
    finally:
        sender.cancel()


async def _send(
    client: ClientConnection, messages: Iterable[str], window: asyncio.Semaphore
) -> None:
    for message in messages:
        await window.acquire()
        await client.send(message)


async def said(client: ClientConnection) -> str:
    """The next message that is no ping of the application."""
    while (message := await client.recv(decode=True)) == '{"type":"ping"}':
        await client.send('{"type": "pong"}')
    return message


def limit(service: Service, crowd: Crowd) -> Seen:
    """As many as there is room for get in, also where all come at once, and each gives its room back."""
    return asyncio.run(_limit(service, crowd.clients))


async def _limit(service: Service, room: int) -> Seen:
    seen = Seen(2 * room)
    async with contextlib.AsyncExitStack() as stack:
        tries = [_enter(service) for _ in range(2 * room)]
        entered = []
        for number, (client, status) in enumerate(await asyncio.gather(*tries)):
            seen.cases.add((number, status))
            if client:
                entered.append(client)
                stack.push_async_callback(client.close)
            elif status != 503:
                seen.fail(f"one too many got {status}, not 503")
        if len(entered) != room:
            seen.fail(f"{len(entered)} were let in where there is room for {room}")
        for client in entered[:5]:
            await client.close()
        back = 0
        until = time.monotonic() + 5
        while back < 5 and time.monotonic() < until:
            client, _ = await _enter(service)
            if client:
                stack.push_async_callback(client.close)
                back += 1
            else:
                await asyncio.sleep(0.05)
        if back < min(5, len(entered)):
            seen.fail(f"5 have left and {back} came in")
        client, status = await _enter(service)
        if client:
            stack.push_async_callback(client.close)
            seen.fail("one too many was let in after others had left")
    seen.outcome = f"{len(entered)} of {2 * room} at once were let in, the others got {status}"
    return seen


async def _enter(service: Service) -> tuple[ClientConnection | None, int]:
    try:
        return await _connect(service), 101
    except InvalidStatus as refusal:
        return None, refusal.response.status_code


def end(service: Service, crowd: Crowd) -> Seen:
    """SIGTERM amid traffic: each client is told to connect again, and what was echoed was echoed once, in order."""
    return asyncio.run(_end(service, crowd.clients))


async def _end(service: Service, count: int) -> Seen:
    seen = Seen(count)
    echoed: list[int] = []
    async with sockets(service, count) as clients:
        traffic = [asyncio.create_task(_go_on(c, n, seen, echoed)) for n, c in enumerate(clients)]
        await asyncio.sleep(2)
        if not echoed:
            seen.fail("no traffic before the signal")
        service.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        codes = await asyncio.gather(*traffic)
        took = time.monotonic() - started
    for number, code in enumerate(codes):
        if code == RESTART:
            seen.cases.add(number)
        else:
            seen.fail(f"client {number} was closed with {code}, not {RESTART}")
    try:
        await asyncio.to_thread(service.process.wait, 10)
    except subprocess.TimeoutExpired:
        seen.fail("the server is still there ten seconds after all have left")
    told = f"{len(seen.cases):,} of {count:,} clients got {RESTART} within {took:.1f} s"
    seen.outcome = f"{told}, {len(echoed):,} messages before, each once"
    return seen


async def _go_on(
    client: ClientConnection, number: int, seen: Seen, echoed: list[int]
) -> int | None:
    """Send on and on, three at a time; the code of the close frame, None where there was none."""
    window = asyncio.Semaphore(3)
    sender = asyncio.create_task(
        _send(client, (f"{number}:{n}" for n in itertools.count()), window)
    )
    try:
        async with asyncio.timeout(PATIENCE):
            for count in itertools.count():
                got = await said(client)
                if got != f"Echo: {number}:{count}":
                    seen.fail(f"client {number} got {got!r} for message {count} of it")
                echoed.append(count)
                window.release()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    except TimeoutError:
        seen.fail(f"client {number} was never closed")
    finally:
        sender.cancel()
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            await sender
    return None


@contextlib.asynccontextmanager
async def sockets(service: Service, count: int) -> AsyncIterator[list[ClientConnection]]:
    """That many open sockets, opened a hundred at a time."""
    clients: list[ClientConnection] = []
    try:
        while len(clients) < count:
            some = min(100, count - len(clients))
            clients += await asyncio.gather(*(_connect(service) for _ in range(some)))
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _connect(service: Service) -> ClientConnection:
    return await connect(
        f"ws://127.0.0.1:{service.port}/ws",
        additional_headers=dict(service.headers),
        compression=None,
        ping_interval=None,
        open_timeout=60,
        close_timeout=5,
        proxy=None,
    )
