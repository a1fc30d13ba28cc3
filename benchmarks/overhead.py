"""What stands around the handlers, and what it costs: requests for each second of CPU time, beside the bare framework.

python -m benchmarks.overhead            a few minutes
python -m benchmarks.overhead --quick    to try it out
python -m benchmarks.overhead --write    and the table in README.md anew
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .processes import ROOT, Process, cores, free_port
from .report import processor, table, write

TOKEN = "ann-" + "0" * 32
BODY = '{"text": "a longer sentence than the limit", "max_length": 3}'
PACKAGES = ("fastapi", "starlette", "flask", "a2wsgi", "uvicorn", "uvloop")
CLIENTS = 16
SERVE = "from myapi.serve import main; main()"


@dataclass(frozen=True)
class Call:
    """A request that a rendered project and the bare framework answer alike, and how well the project should do."""

    style: str
    what: str
    path: str
    body: str
    reach: float
    aim: float

    def text(self) -> str:
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"Authorization: Bearer {TOKEN}"]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", self.body])


CALLS = (
    Call("api", "`async def`, a path parameter", "/items/2", "", 0.6, 0.75),
    Call("api", "`def` in a thread, a JSON body", "/predict", BODY, 0.6, 0.75),
    Call("flask", "a route", "/", "", 0.8, 0.9),
    Call("flask", "a JSON body", "/predict", BODY, 0.8, 0.9),
)
BARE = {"api": "fastapi", "flask": "flask"}  # what each style is compared with


@dataclass
class Side:
    process: Process
    port: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.overhead")
    parser.add_argument("--quick", action="store_true", help="to try it out")
    parser.add_argument("--write", action="store_true", help="write the table in README.md")
    options = parser.parse_args()
    rounds, seconds = (3, 1.0) if options.quick else (9, 2.0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for style in BARE:
            with pair(style, Path(folder)) as (ours, bare, load):
                for call in (call for call in CALLS if call.style == style):
                    rows.append(compare(call, ours, bare, load, rounds, seconds))
                    print(rows[-1], flush=True)
    head = ["style", "what is asked", "project", "bare", "ratio", "reach", "aim", ""]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    text = (
        f"{processor()}, server and load on a core each. Python {sys.version.split()[0]}, {versions}. "
        f"{CLIENTS} clients, {rounds} rounds of {seconds:g} s, both sides by turns; medians.\n\n{table(head, rows)}\n"
    )
    print(f"\n{text}")
    if options.write:
        write(text, "overhead")


@contextmanager
def pair(style: str, folder: Path) -> Iterator[tuple[Side, Side, Process]]:
    """The rendered project with bearer tokens, the bare framework, and the load generator; the servers asleep."""
    project = folder / style / "myapi"
    answers = ["--data", f"style={style}", "--data", "auth=bearer"]
    copy = ["copy", "--quiet", "--defaults", "--vcs-ref=HEAD", *answers, str(ROOT), str(project)]
    subprocess.run([sys.executable, "-m", "copier", *copy], check=True)
    server_core, load_core = cores() or (None, None)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(project / "src"), str(ROOT)]),
        "API_TOKENS": f"ann:{TOKEN},bob:bob-{'1' * 32}",
    }
    log = folder / f"{style}.log"

    with ExitStack() as stack:

        def start(*arguments: str, core: int | None, talks: bool = False) -> Process:
            made = Process(*arguments, core=core, environment=environment, log=log, talks=talks)
            return stack.enter_context(made)

        ports = free_port(), free_port()
        ours = start("-c", SERVE, "--port", str(ports[0]), core=server_core)
        bare = start("-m", "benchmarks.bare", BARE[style], str(ports[1]), core=server_core)
        load = start("-m", "benchmarks.hammer", core=load_core, talks=True)
        ours.wait_for(f"http://127.0.0.1:{ports[0]}/health")
        bare.wait_for(f"http://127.0.0.1:{ports[1]}{'/docs' if style == 'api' else '/'}")
        for process in (ours, bare):
            process.sleep()
        yield Side(ours, ports[0]), Side(bare, ports[1]), load


def compare(
    call: Call, ours: Side, bare: Side, load: Process, rounds: int, seconds: float
) -> list[str]:
    """A row of the table. The first round warms both up and is not counted."""
    found: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        print(f"{call.style}, {call.what}: round {number} of {rounds}", file=sys.stderr, flush=True)
        sides = [ours, bare] if number % 2 else [bare, ours]
        rates = {side.port: rate(side, call, load, seconds) for side in sides}
        found.append((rates[ours.port], rates[bare.port]))
    mine, theirs = (statistics.median(each[side] for each in found[1:]) for side in (0, 1))
    ratio = statistics.median(a / b for a, b in found[1:])
    word = "aim" if ratio >= call.aim else "reached" if ratio >= call.reach else "missed"
    goals = [f"≥ {call.reach:g}", f"≥ {call.aim:g}"]
    return [call.style, call.what, f"{mine:.0f}", f"{theirs:.0f}", f"{ratio:.2f}", *goals, word]


def rate(side: Side, call: Call, load: Process, seconds: float) -> float:
    """Requests for each second of CPU time that the server takes."""
    side.process.wake()
    before = side.process.cpu_seconds()
    order = {"port": side.port, "request": call.text(), "clients": CLIENTS, "seconds": seconds}
    statuses = load.ask(order)
    taken = side.process.cpu_seconds() - before
    side.process.sleep()
    if set(statuses) != {"200"}:
        raise RuntimeError(f"{call.path} was answered with {statuses}")
    return float(statuses["200"] / taken)


if __name__ == "__main__":
    main()
