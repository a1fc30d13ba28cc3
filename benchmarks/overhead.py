"""What everything around the handlers costs: requests per second of CPU time, beside the bare framework.

python -m benchmarks.overhead            about five minutes
python -m benchmarks.overhead --quick    one round, to try it out
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import ROOT, Process, cores, free_port

TOKEN = "ann-" + "0" * 32
WORDS = '{"text": "a longer sentence than the limit", "max_length": 3}'


@dataclass(frozen=True)
class Call:
    """A request of the starters, and the styles that have it."""

    what: str
    path: str
    body: str = ""

    def text(self) -> str:
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"Authorization: Bearer {TOKEN}"]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", self.body])if self.body else "\r\n".join([*lines, "", ""])


# Bare framework, style, and what is asked of both.
PAIRS = {
    "fastapi": ("api", (Call("async route, path parameter", "/items/2"), Call("route in a thread, JSON body", "/predict", WORDS))),
    "flask": ("flask", (Call("route", "/?name=Ann"), Call("JSON body", "/predict", WORDS))),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", choices=PAIRS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 1.0
    with tempfile.TemporaryDirectory() as folder:
        for framework, (style, calls) in PAIRS.items():
            if options.only not in (None, framework):
                continue
            with pair(framework, style, Path(folder)) as measure:
                for call in calls:
                    rounds = [measure(call, options.seconds, number) for number in range(options.rounds + 1)][1:]
                    ours, bare = (statistics.median(each[side] for each in rounds) for side in (0, 1))
                    ratio = statistics.median(mine / theirs for mine, theirs in rounds)
                    print(f"{style}: {call.what}: {ours:.0f} against {bare:.0f} requests per CPU second, {ratio:.2f}", flush=True)


@contextmanager
def pair(framework: str, style: str, folder: Path) -> Iterator:
    project = folder / style / "myapi"
    subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD",
         "--data", f"style={style}", "--data", "auth=bearer", str(ROOT), str(project)],
        check=True,
    )
    server_core, load_core = cores() or (None, None)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(project / "src"), str(ROOT)]), "API_TOKENS": f"ann:{TOKEN},bob:bob-{'1' * 32}"}
    log = folder / "log"
    ports = free_port(), free_port()
    program = "import sys; from myapi.serve import main; main()"
    with ExitStack() as stack:
        ours = stack.enter_context(Process("-c", program, "--port", str(ports[0]), core=server_core, environment=environment, log=Path(os.devnull)))
        bare = stack.enter_context(Process("-m", "benchmarks.bare", framework, str(ports[1]), core=server_core, environment=environment, log=log))
        load = stack.enter_context(Process("-m", "benchmarks.hammer", core=load_core, environment=environment, log=log, talks=True))
        ours.wait_for(f"http://127.0.0.1:{ports[0]}/health")
        path = "/openapi.json" if framework == "fastapi" else "/"
        bare.wait_for(f"http://127.0.0.1:{ports[1]}{path}")
        for process in (ours, bare):
            process.sleep()

        def one(process: Process, port: int, call: Call, seconds: float) -> float:
            process.wake()
            before = process.cpu_seconds()
            statuses = load.ask({"port": port, "request": call.text(), "clients": 16, "seconds": seconds})
            taken = process.cpu_seconds() - before
            process.sleep()
            if set(statuses) != {"200"}:
                raise RuntimeError(f"{call.path}: {statuses}")
            return float(sum(statuses.values()) / taken)

        def measure(call: Call, seconds: float, number: int) -> tuple[float, float]:
            sides = [(ours, ports[0]), (bare, ports[1])]
            order = sides if number % 2 else sides[::-1]
            found = {port: one(process, port, call, seconds) for process, port in order}
            return found[ports[0]], found[ports[1]]

        yield measure


if __name__ == "__main__":
    main()
