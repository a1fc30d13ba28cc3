"""On one core: vectors by the rendered project, which reads together what waits, and one text after the other, by turns.

python -m benchmarks.embeddings
"""

import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp

from .__main__ import home
from .processes import ROOT, Process, cores, free_port, pinned

# Width and layers of a BERT: what all-MiniLM-L6-v2 has, and less.
MODELS = {"22 million parameters": (384, 6), "1 million parameters": (128, 2)}
SIDES = {
    "project": {},
    "project, one text a pass": {"BATCH_TOKENS": "1"},
    "plain: a thread for each request": {},
}
CLIENTS = (1, 8, 32)
ROUNDS, WARMUP, SECONDS = 3, 1.0, 4.0
WORDS = [
    "the",
    "sea",
    "is",
    "wide",
    "and",
    "blue",
    "ships",
    "cross",
    "it",
    "in",
    "the",
    "night",
    "and",
    "the",
    "wind",
    "is",
    "cold",
    "there",
]
LENGTHS = (4, 6, 8, 12, 16, 24)  # words of a text: questions and short passages
HEAD = "| model | clients | project /s | p50 ms | one text a pass /s | plain /s | project : one text a pass | project : plain |"


def main() -> None:
    pair = cores()
    if pair is None:
        sys.exit("Two cores are needed: one for the server, one for the load")
    print(
        f"torch {version('torch')}, transformers {version('transformers')}, fastapi {version('fastapi')}"
    )
    print("\n".join([HEAD, "| --- " * 8 + "|"]), flush=True)
    with tempfile.TemporaryDirectory() as name:
        project = render(Path(name))
        for title, size in MODELS.items():
            path = build(Path(name) / "-".join(map(str, size)), *size)
            with sides(project, path, *pair) as ports, pinned(pair[1]):
                for clients in CLIENTS:
                    print(row(title, clients, ports), flush=True)


def render(folder: Path) -> Path:
    """The project as this working tree renders it."""
    sys.path.insert(0, str(ROOT / "tests"))
    import family

    with home(folder / "home"):
        answers = {"style": "inference", "task": "embed", "auth": "none"}
        return family.render(family.export(folder / "template"), folder, answers)


def build(path: Path, width: int, layers: int) -> Path:
    """A BERT with random weights, and a tokenizer of whole words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words.train_from_iterator(WORDS, trainers.WordLevelTrainer(special_tokens=special))
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30_522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
    )
    transformers.BertModel(config).save_pretrained(path)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=512
    ).save_pretrained(path)
    return path


class Side:
    """A server, asleep but while it is measured."""

    def __init__(self, process: Process, port: int) -> None:
        self.process, self.url = process, f"http://127.0.0.1:{port}/embed"

    def measure(self, clients: int, seed: int) -> tuple[float, float]:
        """Requests a second, and the median of their seconds."""
        self.process.wake()
        try:
            return asyncio.run(load(self.url, clients, seed))
        finally:
            self.process.sleep()


@contextlib.contextmanager
def sides(project: Path, path: Path, core: int, _load: int) -> Iterator[dict[str, Side]]:
    with contextlib.ExitStack() as stack:
        found = {}
        for name, variables in SIDES.items():
            port = free_port()
            environment = {
                **os.environ,
                **variables,
                "OMP_NUM_THREADS": "1",
                "LOG_LEVEL": "WARNING",
                "PYTHONPATH": str(project / "src"),
            }
            arguments = ("-m", "benchmarks.embeddings", name, str(path), str(port))
            log = path.parent / f"{port}.log"
            process = Process(*arguments, core=core, environment=environment, log=log)
            stack.enter_context(process)
            process.wait_for(f"http://127.0.0.1:{port}/health")
            process.sleep()
            found[name] = Side(process, port)
        yield found


def row(title: str, clients: int, found: dict[str, Side]) -> str:
    """Medians, and the median of each turn's ratios."""
    rates: dict[str, list[float]] = {name: [] for name in found}
    waits: list[float] = []
    for turn in range(ROUNDS):
        names = list(found)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            rate, median = found[name].measure(clients, turn)
            rates[name].append(rate)
            waits += [median] if name == "project" else []
    project, alone, plain = rates.values()
    cells = [
        title,
        clients,
        f"{statistics.median(project):.0f}",
        f"{statistics.median(waits) * 1e3:.0f}",
        f"{statistics.median(alone):.0f}",
        f"{statistics.median(plain):.0f}",
        *(
            f"{statistics.median(a / b for a, b in zip(project, other, strict=True)):.1f}"
            for other in (alone, plain)
        ),
    ]
    return f"| {' | '.join(map(str, cells))} |"


async def load(url: str, clients: int, seed: int) -> tuple[float, float]:
    """A closed loop: each client asks for one vector again as soon as it has one. Any failure fails it."""
    draw = random.Random(seed)
    took: list[float] = []
    began = time.perf_counter() + WARMUP
    end = began + SECONDS

    async def client(session: aiohttp.ClientSession) -> None:
        while (asked := time.perf_counter()) < end:
            text = " ".join(draw.choices(WORDS, k=draw.choice(LENGTHS)))
            async with session.post(url, json={"texts": [text]}) as response:
                answer = await response.json()
                if response.status != 200 or len(answer["vectors"]) != 1:
                    raise RuntimeError(f"{response.status}: {answer}")
            if began <= time.perf_counter() <= end:
                took.append(time.perf_counter() - asked)

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    return len(took) / SECONDS, statistics.median(took)


def serve(side: str, path: Path, port: int) -> None:
    import torch
    import uvicorn

    torch.set_num_threads(1)
    app = plain(path) if side.startswith("plain") else project(path)
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


def project(path: Path) -> Any:
    from myapi.transformers_engine import TransformersEngine
    from myapi.web import create_app

    engine = TransformersEngine(path, device="cpu", max_text_tokens=512)
    engine.start()
    return create_app(engine)


def plain(path: Path) -> Any:
    """What one writes first."""
    import torch
    from fastapi import Body, FastAPI
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    model: Any = AutoModel.from_pretrained(path).eval()
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/embed")
    def embed(texts: list[str] = Body(embed=True)) -> dict[str, Any]:  # noqa: B008 (FastAPI's way)
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None]
        vectors = (states * mask).sum(1) / mask.sum(1)
        return {"vectors": torch.nn.functional.normalize(vectors, dim=1).tolist()}

    return app


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
