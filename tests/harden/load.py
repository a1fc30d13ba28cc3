"""Fifty clients at once for a minute: closed loop, then open loop at half of its rate; times, memory, and no error.

The server has one core, the generator another. On a machine that others use as well, as in CI, times and memory are
only told; `--full` judges them.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from harden.generator import Plan, Result
from harden.load_mutants import CODE, MUTANTS
from harden.report import Options, Row, judged
from harden.service import PROGRAM, Service, render, served, stand_in
from projects import family_tree

CLIENTS = 50
FULL, SLICE, SHORT = 30.0, 5.0, 2.0  # seconds of each of the two loops
MOST_RATIO = 3.0  # of p99 to p50, in the median second
# Beside a median of 0.3 ms, a second's p99 below this is the machine's own: a server that does nothing has 5 times its median too.
UNSEEN = 0.005
LONGEST = 0.25
MOST_GROWTH = 0.05
SETTLED = 1 / 6  # of a loop: the first ten seconds of a minute
# Of a generator that is later than this, or a core that others use too, nothing can be said about the server.
MOST_LATENESS = 0.010
MOST_OTHERS = 0.05
TEXT = '{"text": "n00000000 and more words than three", "max_length": 3}'
PROMPT = '{"prompt": "n00000000 is", "max_new_tokens": 5, "temperature": 0}'
# Style: its request.
STYLES = {
    "api": ("POST /predict", TEXT),
    "flask": ("POST /predict", TEXT),
    "django": ("POST /predict", TEXT),
    "simple": ("GET /?name=n00000000", ""),
    "inference": ("POST /generate", PROMPT),
    "command": ("GET /", ""),
}
SLICED = ("api", "flask")
# More than the default may be wanted at once here.
ENVIRONMENT = {"MAX_IN_FLIGHT": "1000"}


@dataclass(frozen=True)
class Measured:
    """Two loops against one server.

    Attributes:
        growth: of the memory of all its processes, from when it had settled to the end, as a part.
        others: the part of the server's core that other processes had.
    """

    closed: Result
    open: Result
    growth: float
    others: float

    def failures(self, judged: bool) -> tuple[str, ...]:
        found = []
        for name, result in (("closed", self.closed), ("open", self.open)):
            if result.wrong:
                found.append(f"{name}: {result.wrong} errors, first {result.errors[0]}")
            if judged and result.steady > MOST_RATIO and result.steady * result.p50 > UNSEEN:
                found.append(
                    f"{name}: p99 is {result.steady:.1f} times p50, {MOST_RATIO:g} is the most"
                )
            if judged and result.longest > LONGEST:
                found.append(
                    f"{name}: one took {result.longest * 1000:.0f} ms, {LONGEST * 1000:g} is the most"
                )
            if judged and result.lateness > MOST_LATENESS:
                found.append(
                    f"{name}: the generator was {result.lateness * 1000:.1f} ms late itself"
                )
        if judged and self.others > MOST_OTHERS:
            found.append(f"others had {self.others:.0%} of the server's core: try when it is quiet")
        if judged and self.growth > MOST_GROWTH:
            found.append(f"memory grew by {self.growth:.1%}, {MOST_GROWTH:.0%} is the most")
        return tuple(found)

    def __str__(self) -> str:
        loops = [
            f"{name} {r.throughput:,.0f}/s p50 {r.p50 * 1000:.2f} ms p99 {r.p99 * 1000:.2f} ms "
            f"({r.ratio:.1f} times, median second {r.steady:.1f}), longest {r.longest * 1000:.0f} ms"
            for name, r in (("closed", self.closed), ("open", self.open))
        ]
        late = max(self.closed.lateness, self.open.lateness) * 1000
        return f"{', '.join(loops)}, memory {self.growth:+.1%}, generator late by {late:.1f} ms, others {self.others:.0%}"


def run(options: Options) -> Iterator[Row]:
    seconds = FULL if options.full else SLICE
    for style in STYLES if options.full else options.some(SLICED):
        measured = measure(project(options, style), wire(style), seconds)
        answered = measured.closed.answered + measured.open.answered
        least = int(seconds * CLIENTS)
        yield Row("load", style, answered, least, measured.failures(options.full), str(measured))
    yield mutants(options)


def mutants(options: Options) -> Row:
    """Servers with a fault each, of which the judgement must speak."""
    said = {}
    for name, (line, words) in options.some(MUTANTS.items()):
        folder = stand_in(options, f"load-{name}", CODE, line)
        measured = measure(folder, wire("api"), SHORT, "from app import main; main()")
        print(f"load: {name}: {measured}", flush=True)
        # Where others use the machine too, no server is fast enough, a healthy one neither.
        said[name] = "; ".join(measured.failures(judged=bool(words) or options.full)), words
    return judged("load", said)


def project(options: Options, style: str) -> Path:
    """The project of a style, with tokens of its own where the style has them."""
    if style == "command":
        return render(options, "load-command", style="server", server_app="command", auth="none")
    return render(options, f"load-{style}", style=style, auth="bearer")


def wire(style: str) -> str:
    """The request of a style as it goes over the wire; its credentials come later."""
    line, body = STYLES[style]
    fields = ["Host: 127.0.0.1", "X-Request-ID: n00000000"]
    if body:
        fields += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([f"{line} HTTP/1.1", *fields, "", body])


def measure(project: Path, request: str, seconds: float, program: str = PROGRAM) -> Measured:
    cores = sorted(os.sched_getaffinity(0))
    pinned = f"import os; os.sched_setaffinity(0, {{{cores[0]}}}); {program}"
    with served(project, command=(sys.executable, "-c", pinned), **ENVIRONMENT) as service:
        fields = "".join(f"\r\n{name}: {value}" for name, value in service.headers.items())
        line, rest = request.split("\r\n", 1)
        plan = Plan(service.port, f"{line}{fields}\r\n{rest}", CLIENTS, seconds, core=cores[-1])
        began, busy, own = time.monotonic(), used(cores[0]), spent(service)
        generator = start(plan)
        time.sleep(seconds * SETTLED)
        settled = memory(service)
        closed = result(generator)
        opened = result(start(dataclasses.replace(plan, rate=max(closed.throughput / 2, 1))))
        took = time.monotonic() - began
        others = (used(cores[0]) - busy - (spent(service) - own)) / took
        return Measured(closed, opened, memory(service) / settled - 1, max(others, 0.0))


def start(plan: Plan) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harden.generator", json.dumps(dataclasses.asdict(plan))],
        stdout=subprocess.PIPE,
        text=True,
    )


def result(generator: subprocess.Popen[str]) -> Result:
    out, _ = generator.communicate()
    assert generator.returncode == 0, "the generator failed"
    return Result(**json.loads(out))


def memory(service: Service) -> float:
    return sum(process.memory_info().rss for process in family_tree(service.process.pid))


def used(core: int) -> float:
    """Seconds for which a core was busy with processes, or was lent to another machine, since it was started."""
    times = psutil.cpu_times(percpu=True)[core]
    return sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "steal"))


def spent(service: Service) -> float:
    times = [process.cpu_times() for process in family_tree(service.process.pid)]
    return sum(time.user + time.system for time in times)
