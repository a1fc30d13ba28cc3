"""What there is without HTTP, in the process of the model: one cell a line in, one record a line out, both JSON.

python -m benchmarks.inside engine|generate MODEL DEVICE ANSWERS
"""

import asyncio
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .loop import Answer, Ask, Cell, measure, read_known


def make_engine() -> Any:
    """The rendered project's engine, as its modal_app.py starts it; the environment names model and device."""
    from myapi.local import application

    return application().state.engine


def ask_engine(engine: Any) -> Ask:
    from myapi.engine import Job

    async def ask(prompt: str, length: int) -> Answer:
        done = await engine.generate(Job(prompt=prompt, max_new_tokens=length))
        return Answer(done.text, done.completion_tokens)

    return ask


def ask_generate(path: Path, device: str) -> Ask:
    """`model.generate`, one prompt at a time, so for one client only."""
    from .servers import load

    model, tokenizer = load(path, device)

    async def ask(prompt: str, length: int) -> Answer:
        inputs = tokenizer(prompt, return_tensors="pt").to(device)
        tokens = model.generate(**inputs, max_new_tokens=length, do_sample=False)
        new = tokens[0, inputs["input_ids"].shape[1] :]
        return Answer(tokenizer.decode(new), len(new))

    return ask


def main() -> None:
    which, path, device, answers = sys.argv[1:]
    known = read_known(Path(answers).read_text())
    model = Path(path)
    ask = ask_engine(make_engine()) if which == "engine" else ask_generate(model, device)
    logging.disable()  # standard output is for records
    print("ready", flush=True)
    for line in sys.stdin:
        record = asyncio.run(measure(ask, known, Cell(**json.loads(line)["cell"])))
        print(json.dumps(asdict(record)), flush=True)


if __name__ == "__main__":
    main()
