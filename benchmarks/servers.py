"""The servers that the rendered project is compared with.

python -m benchmarks.servers seed|litserve|manager MODEL DEVICE PORT
"""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any

import litserve
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from .seed import application as seed_application


class Ask(BaseModel):
    """The same as the rendered project takes. All sides are asked for the likeliest token each time."""

    prompt: str
    max_new_tokens: int
    temperature: float


class Answer(BaseModel):
    generated: str
    completion_tokens: int


def load(path: Path, device: str) -> tuple[Any, Any]:
    """The model and its tokenizer, in the number format of the device."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    return model.to(device).eval(), AutoTokenizer.from_pretrained(path)


class Batches(litserve.LitAPI):
    """LitServe's batching, with what most people write in it: pad, generate for the longest, cut."""

    def __init__(self, path: Path) -> None:
        super().__init__(max_batch_size=16, batch_timeout=0.005, api_path="/generate")
        self.path = path

    def setup(self, device: str) -> None:
        self.model, self.tokenizer = load(self.path, device)

    def decode_request(self, request: dict[str, Any]) -> Ask:
        return Ask(**request)

    def predict(self, batch: list[Ask]) -> list[Answer]:
        inputs = self.tokenizer([ask.prompt for ask in batch], return_tensors="pt", padding=True)
        tokens = self.model.generate(
            **inputs.to(self.model.device),
            max_new_tokens=max(ask.max_new_tokens for ask in batch),
            do_sample=False,
        )
        new = tokens[:, inputs["input_ids"].shape[1] :]
        rows = [row[: ask.max_new_tokens] for ask, row in zip(batch, new, strict=True)]
        texts = self.tokenizer.batch_decode(rows)
        return [
            Answer(generated=text, completion_tokens=len(row))
            for text, row in zip(texts, rows, strict=True)
        ]

    def encode_response(self, output: Answer) -> dict[str, Any]:
        return output.model_dump()


def manager_application(path: Path, device: str) -> FastAPI:
    """transformers' own continuous batching, with no more around it than it needs."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    model, tokenizer = load(path, device)
    manager = model.init_continuous_batching(
        generation_config=GenerationConfig(do_sample=False, eos_token_id=0, pad_token_id=0),
        # Room for 128 requests of the sizes that are asked for here. Left alone it takes most of the machine's memory.
        continuous_batching_config=ContinuousBatchingConfig(num_blocks=128, max_batch_tokens=512),
    )
    manager.start()
    ids = map(str, itertools.count())
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/generate")
    async def generate(ask: Ask) -> Answer:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request_id = next(ids)
        manager.register_result_handler(request_id, done.set_result)
        tokens = tokenizer(ask.prompt)["input_ids"]
        manager.add_request(tokens, request_id, max_new_tokens=ask.max_new_tokens)
        result = await done
        if result.error is not None:
            raise RuntimeError(result.error)
        new = result.generated_tokens
        return Answer(generated=tokenizer.decode(new), completion_tokens=len(new))

    return app


def main() -> None:
    which, path, device, port = sys.argv[1:]
    if which == "litserve":
        server = litserve.LitServer(Batches(Path(path)), accelerator=device, devices=1, timeout=300)
        server.run(
            host="127.0.0.1", port=int(port), log_level="warning", generate_client_file=False
        )
        return
    make = {"seed": seed_application, "manager": manager_application}[which]
    uvicorn.run(make(Path(path), device), port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
