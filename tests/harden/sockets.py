"""Raw sockets against served projects: improper bytes, and proper ones sent as no browser would.

After each case the server must still answer /health in two seconds, with as many open files as before, and no hidden
request may stand in its log.
"""

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from harden import sockets_frames, sockets_moves
from harden.report import Options, Row, judged
from harden.service import APP, Service, render, served, stand_in
from harden.sockets_bodies import bodies
from harden.sockets_case import Case
from harden.sockets_heads import heads
from harden.sockets_mutants import CODE, MUTANTS
from projects import family_tree

TEXT = b'{"text": "one two three four", "max_length": 3}'
CALL = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call",'
    b' "params": {"name": "shorten", "arguments": {"text": "one two", "max_words": 1}}}'
)
# Style: a request with a body, and the body. A socket has none; its application reads nothing, and says 405.
STYLES = {
    "api": (b"POST /predict", TEXT),
    "flask": (b"POST /predict", TEXT),
    "django": (b"POST /predict", TEXT),
    "websocket": (b"POST /health", TEXT),
    # The version, which comes next, is one more header then.
    "mcp": (b"POST /mcp HTTP/1.1\r\nAccept: */*\r\nVersion:", CALL),
    "jobs": (b"POST /jobs", b'{"texts": ["one two three four"], "pause": 0}'),
    "inference": (b"POST /generate", b'{"prompt": "one", "max_new_tokens": 2}'),
}
SLICED = ("api", "flask")
LEAST_CASES = 85
HEALTH_SECONDS = 2.0
ANSWER_SECONDS = 4.0
QUIET_SECONDS = 0.3
LEFT_SECONDS = 10.0  # until all of the work is done that clients have left behind
# Others' words, not the application's: uvloop raises where asyncio only warns
# (https://github.com/MagicStack/uvloop/issues/506), uvicorn logs half a character with a traceback.
NOT_OURS = re.compile(rb"the handler is closed|Invalid UTF-8 sequence received from client")
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass
class Tally:
    """What was seen of one server."""

    tried: set[object] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)


def run(options: Options) -> Iterator[Row]:
    for style in STYLES if options.full else options.some(SLICED):
        answers = {"auth": "bearer"} if style == "websocket" else {"auth": "none"}
        project = render(options, f"sockets-{style}", style=style, **answers)
        with served(project) as service:
            tally = attack(service, style, full=options.full)
        ends = ", ".join(f"{count} {end}" for end, count in tally.ends.most_common())
        yield Row("sockets", style, len(tally.tried), LEAST_CASES, tuple(tally.failures), ends)
    yield mutants(options)


def mutants(options: Options) -> Row:
    """Servers with one fault each, in which the fault must be named."""
    said = {}
    for name, (setting, words) in options.some(MUTANTS.items()):
        project = stand_in(options, f"sockets-{name}", CODE, setting)
        with served(project, command=APP) as service:
            tally = attack(service, "api", full=False, until=words)
        said[name] = "; ".join(tally.failures), words
    return judged("sockets", said)


def attack(service: Service, style: str, full: bool, until: str = "") -> Tally:
    """Try all of it, or as much as it takes until a failure has these words in it."""
    tally = Tally()
    for _ in range(20):  # what opens files once and keeps them has done so then
        health(service.port)
    for key, name, act in attempts(service, tally, style, full):
        tally.tried.add(key)
        tally.failures += [f"{name}: {what}" for what in watched(service, act)]
        if until and any(until in failure for failure in tally.failures):
            break
    return tally


def attempts(
    service: Service, tally: Tally, style: str, full: bool
) -> Iterator[tuple[object, str, Iterator[str]]]:
    """What makes each case distinct, its name, and what finds its failures."""
    line, body = STYLES[style]
    for case in [*bodies(line, body), *heads()]:
        yield (case.sent, case.finish), case.name, judge(service, case, tally)
    request = sockets_moves.Request(service.port, line, body, full)
    for name, move in sockets_moves.MOVES.items():
        yield name, name, move(request)
    for frames in sockets_frames.CASES if style == "websocket" else ():
        yield frames.sent, frames.name, sockets_frames.judge(service, frames)


def watched(service: Service, act: Iterator[str]) -> list[str]:
    """The failures of an attempt, and of the server after it."""
    before, log = files(service), service.log.stat().st_size
    found: list[str] = []
    try:
        found += act
    except OSError as error:
        found.append(f"a proper client was cut off: {error}")
    started = time.monotonic()
    status = health(service.port)
    if status != 200 or time.monotonic() - started > HEALTH_SECONDS:
        took = time.monotonic() - started
        found.append(f"afterwards /health is answered with {status} after {took:.1f} seconds")
    until = time.monotonic() + LEFT_SECONDS
    while files(service) > before and time.monotonic() < until:
        time.sleep(0.02)
    if (left := files(service)) > before:
        found.append(f"{left} open files instead of {before}")
    with service.log.open("rb") as lines:
        lines.seek(log)
        written = lines.read()
    if b'"/hidden"' in written:
        found.append("the hidden request reached the application")
    for line in written.splitlines():
        if b"Traceback" in line and not NOT_OURS.search(line):
            found.append(f"a traceback in the log: {line[-300:].decode(errors='replace')}")
            break
    return found


def judge(service: Service, case: Case, tally: Tally) -> Iterator[str]:
    statuses, left = exchange(service.port, case)
    end = statuses[0] if statuses else left
    tally.ends[end] += 1
    if wrong := [status for status in statuses if status.startswith("5")]:
        yield f"answered with {wrong[0]}"
    if len(statuses) > case.answers:
        yield f"{len(statuses)} answers: {', '.join(statuses)}"
    if case.ends == ("2",) and len(statuses) != case.answers:
        yield f"{len(statuses)} answers, not {case.answers}"
    if not end.startswith(case.ends):
        yield f"ended in {end}, not in {' or '.join(case.ends)}"


def exchange(port: int, case: Case) -> tuple[list[str], str]:
    """Send it all; the statuses of the answers, and whether the connection was then cut or open."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as client:
        left, received = "open", b""
        try:
            client.sendall(case.sent)
            if case.finish:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            left = "cut"  # an answer may have come before
        try:
            while True:
                client.settimeout(
                    QUIET_SECONDS if received or "open" in case.ends else ANSWER_SECONDS
                )
                if not (data := client.recv(65_536)):
                    left = "cut"
                    break
                received += data
        except TimeoutError:
            pass
        except OSError:
            left = "cut"
    found = [status.decode() for status in STATUS.findall(received)]
    return [status for status in found if status != "100"], left


def health(port: int) -> int:
    """The status of /health on a connection of its own; 0 for no answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2 * HEALTH_SECONDS) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            status = STATUS.match(client.recv(65_536))
            return int(status[1]) if status else 0
    except OSError:
        return 0


def files(service: Service) -> int:
    """Open files of a server and all its processes."""
    count = 0
    for process in family_tree(service.process.pid):
        try:
            count += process.num_fds()
        except psutil.Error:  # it has ended meanwhile
            continue
    return count
