"""The rendered `inference` project against other ways to serve the same model, all in one run.

python -m benchmarks                          everything, about half an hour
python -m benchmarks --quick                  32 clients and one, once, to try it out
python -m benchmarks --only project,litserve  some sides; the project's own parts are named in SIDES
python -m benchmarks --profile                where the rendered project's time goes, and nothing else
python -m benchmarks --device cuda            a larger model in bfloat16 on a GPU
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import report, starts
from .loop import WORKLOADS, Cell, Record
from .processes import ROOT, Process, busy_seconds, cores, free_port, get_json

# What is measured, and the process that it is measured in.
SIDES = {
    "project": "project",  # the rendered project, as its users serve it
    "stream": "project",  # the same, by server-sent events
    "engine": "engine",  # its engine without HTTP
    "seed": "seed",
    "litserve": "litserve",
    "manager": "manager",
    "generate": "generate",  # without HTTP, one client
}
# Ratios rest on these numbers of clients, which are measured so often in a round.
DECIDE, OFTEN = ("1", "32"), 3
Runs = dict[tuple[str, str, int], list[Record]]


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.device)
        if options.profile:
            text, mark = report.shares(bench.profile(options)), "profile"
        else:
            runs = bench.run(options) if options.only else {}
            figures = {} if options.no_starts else bench.starts(3 if options.quick else 9)
            pinned = "server and load on a core each" if bench.cores else "nothing pinned"
            text, mark = report.markdown(runs, figures, options, pinned), options.device
    print(text)
    if options.write:
        report.write(text, mark)
        if mark == "cpu":
            report.write_summary(report.summary(runs, options, pinned))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def names(text: str) -> list[str]:
        return [name for name in text.split(",") if name]

    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--only", type=names, default=list(SIDES), help="sides, with commas between"
    )
    parser.add_argument("--workloads", type=names, default=list(WORKLOADS))
    parser.add_argument("--clients", type=names, default=["1", "8", "32", "64"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3, help="of a cell, after its warm-up")
    parser.add_argument(
        "--no-starts", action="store_true", help="leave out imports and cold starts"
    )
    parser.add_argument("--quick", action="store_true", help="to try it out; not for figures")
    parser.add_argument("--profile", action="store_true", help="where the server's time goes")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md here")
    options = parser.parse_args()
    if options.quick:
        options.clients, options.rounds, options.seconds = ["1", "32"], 1, 2
    if unknown := {*options.only} - {*SIDES} | {*options.workloads} - {*WORKLOADS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def passes(options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """Clients, and the how manieth time in this round."""
    for again in range(1 if options.quick else OFTEN):
        yield from (
            (int(count), again) for count in options.clients if not again or count in DECIDE
        )


class Bench:
    """The model, the rendered project, and the processes that are measured."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self.device = device
        self.cores = cores() if device == "cpu" else None
        say("rendering the project and building the model")
        project = render(folder)
        sys.path.insert(0, str(project / "src"))
        from myapi import weights

        from . import model

        self.models = folder / "models"
        self.model = model.build(self.models, weights.MODEL_ID, weights.MODEL_REVISION, device)
        self.answers = self.models / "answers.json"
        paths = [str(project / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "MODELS_DIR": str(self.models),
            "MODEL_DEVICE": device,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TRANSFORMERS_VERBOSITY": "error",
            "TOKENIZERS_PARALLELISM": "false",
        }
        if self.cores:
            self.environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        elif device == "cpu":
            say("one core only, or no way to pin: server and load disturb each other")

    def run(self, options: argparse.Namespace) -> Runs:
        """Every cell on every side, so many rounds; within one, the sides follow each other cell by cell.

        Those that ratios rest on come oftener.
        """
        runs: Runs = {}
        with contextlib.ExitStack() as stack:
            places = self._start(stack, [SIDES[side] for side in options.only])
            for number in range(options.rounds):
                for workload in options.workloads:
                    for clients, again in passes(options):
                        turn = OFTEN * number + again
                        cell = Cell(clients, workload, options.seconds / 4, options.seconds, turn)
                        # Another side begins each time.
                        first = turn % len(options.only)
                        for side in options.only[first:] + options.only[:first]:
                            if side == "generate" and clients > 1:
                                continue
                            record = self._measure(side, places, cell)
                            runs.setdefault((side, workload, clients), []).append(record)
                            say(
                                f"round {number + 1}: {workload}, {clients} clients: {record}", side
                            )
        return runs

    def starts(self, repeats: int) -> dict[str, Any]:
        """Figures of fresh processes, in seconds."""
        say("starting fresh processes")
        core = self.cores[0] if self.cores else None
        log = self.folder / "starts.log"
        first = starts.first_tokens(
            max(2, repeats // 2 + 1),
            core,
            self.environment,
            log,
            model=self.model,
            device=self.device,
        )
        return {
            "imports": starts.import_times(repeats, core, self.environment, log),
            "heavy": starts.heavy_modules(self.environment),
            "first": first,
        }

    def profile(self, options: argparse.Namespace) -> dict[tuple[str, int], dict[str, float]]:
        """Seconds that each part of the server took, by side and clients, on fixed lengths."""
        times: dict[tuple[str, int], dict[str, float]] = {}
        with contextlib.ExitStack() as stack:
            places = self._start(stack, ["breakdown"])
            server, url = places["breakdown"]
            for clients in (1, 32):
                for side in ("project", "stream"):
                    cell = Cell(clients, "fixed", 1, options.seconds, 0)
                    server.wake()
                    before = get_json(url.replace("generate", "times"))
                    places["load"][0].ask({"side": side, "url": url, "cell": vars(cell)})
                    after = get_json(url.replace("generate", "times"))
                    times[side, clients] = {part: after[part] - before[part] for part in after}
        return times

    def _start(self, stack: contextlib.ExitStack, names: list[str]) -> dict[str, Any]:
        """Start what is measured, one after the other, and put it to sleep; and the load generator."""
        core, load_core = self.cores or (None, None)
        places: dict[str, Any] = {}
        for name in dict.fromkeys(names):
            say("starting", name)
            port = str(free_port())
            inside = name in ("engine", "generate")
            process = stack.enter_context(
                Process(
                    *self._command(name, port),
                    core=core,
                    environment=self.environment,
                    log=self.folder / f"{name}.log",
                    talks=inside,
                )
            )
            if inside:
                process.read_line()
            else:
                path = "ready" if name == "project" else "health"
                process.wait_for(f"http://127.0.0.1:{port}/{path}")
            process.sleep()
            places[name] = process, f"http://127.0.0.1:{port}/generate"
        load = Process(
            *("-m", "benchmarks.load", str(self.answers)),
            core=load_core,
            environment=self.environment,
            log=self.folder / "load.log",
            talks=True,
        )
        places["load"] = stack.enter_context(load), ""
        return places

    def _command(self, name: str, port: str) -> tuple[str, ...]:
        if name == "project":
            return "-c", "from myapi.serve import main; main()", "--port", port
        if name in ("engine", "generate"):
            arguments = (name, str(self.model), self.device, str(self.answers))
            return "-m", "benchmarks.inside", *arguments
        if name == "breakdown":
            return "-m", "benchmarks.breakdown", port
        return "-m", "benchmarks.servers", name, str(self.model), self.device, port

    def _measure(self, side: str, places: dict[str, Any], cell: Cell) -> Record:
        server, url = places[SIDES[side]]
        worker = server if side in ("engine", "generate") else places["load"][0]
        server.wake()
        own, started = server.cpu_seconds(), time.perf_counter()
        busy = busy_seconds(self.cores[0]) if self.cores else 0.0
        said = worker.ask({"side": side, "url": url, "cell": vars(cell)})
        if self.cores:
            taken = busy_seconds(self.cores[0]) - busy - (server.cpu_seconds() - own)
            said["others"] = max(0.0, taken) / (time.perf_counter() - started)
        server.sleep()
        record = Record(**said)
        if record.differing and self.device == "cpu":
            raise RuntimeError(f"{side}: {record.differing} of {record.answers} texts differ")
        return record


def render(folder: Path) -> Path:
    """The project as this working tree renders it."""
    sys.path.insert(0, str(ROOT / "tests"))
    import family

    with home(folder / "home"):
        answers = {"style": "inference", "auth": "none"}
        return family.render(family.export(folder / "template"), folder, answers)


@contextlib.contextmanager
def home(folder: Path) -> Iterator[None]:
    """Nobody's own settings of Copier or Git, for a while."""
    import family

    before = dict(os.environ)
    os.environ.update(family.isolate(folder))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def say(what: str, side: str = "") -> None:
    print(f"{side:9} {what}" if side else what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
