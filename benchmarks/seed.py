"""The endpoint that the family began with: a pipeline for each request, in a thread of FastAPI's pool.

Two things differ from how it was written: the length counts new tokens, which it can be compared by, and the
likeliest token is taken each time.
"""

from pathlib import Path
from typing import Any

from fastapi import FastAPI


def application(path: Path, device: str) -> FastAPI:
    pipe = make_pipe(path, device)
    web_app = FastAPI()

    @web_app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "healthy"}

    @web_app.post("/generate")
    def generate(prompt: str, max_new_tokens: int = 50) -> dict[str, str]:
        result = pipe(prompt, max_new_tokens=max_new_tokens, do_sample=False)
        return {"generated": result[0]["generated_text"]}

    return web_app


def make_pipe(path: Path, device: str) -> Any:
    import torch
    from transformers import pipeline

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    return pipeline("text-generation", model=str(path), device=device, dtype=dtype)
