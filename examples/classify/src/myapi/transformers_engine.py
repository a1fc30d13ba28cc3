"""A model of the transformers library as an engine: loaded once, and asked by many at once.

Import it where the model is loaded and nowhere else: torch and transformers take seconds.
"""

import asyncio
import copy
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from pydantic_settings import BaseSettings
from transformers import AutoTokenizer

from .batching import Batcher
from .engine import Reading, RefusedError, Text
from .head import Head
from .packing import pack

# Characters that would hold up the event loop while they become tokens.
LONG = 2_000
log = logging.getLogger(__name__)

Tokens = dict[str, list[int]]  # of one text, by the name of the model's input


class Limits(BaseSettings):
    """What a container takes, from environment variables of these names."""

    # What it computes in. auto is bfloat16 on a GPU, and on a CPU that multiplies in it, which takes half of the time.
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    # Tokens in one pass of the model, padding included. More make better use of a GPU, and others wait longer.
    batch_tokens: int = Field(default=16_384, gt=0)
    # Texts that wait for a pass; one more is refused with 503.
    max_queue: int = Field(default=4_096, gt=0)
    # Seconds that a stop leaves to requests that have begun. Modal leaves 30.
    drain_seconds: float = Field(default=20, ge=0)


class TransformersEngine:
    def __init__(self, path: Path, *, device: str, max_text_tokens: int) -> None:
        """Load the model into memory, in the number format of its device.

        A device that is named is not touched yet, so that a memory snapshot can be taken after this.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self.limits = Limits()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        # A tokenizer is for one thread at a time.
        self._long: Any = copy.deepcopy(self.tokenizer)
        self._patience = ThreadPoolExecutor(1, "tokens")
        self.head = Head(
            path,
            dtype=number_format(self.limits.precision, device),
            local_files_only=True,
            use_safetensors=True,
        )
        self.model: Any = self.head.model.eval()
        if device == "cpu":
            pack(self.model)
        context = getattr(self.model.config, "max_position_embeddings", None) or max_text_tokens
        # Some models number positions from 2 on, which only their tokenizer knows.
        self.length: int = min(max_text_tokens, context, self.tokenizer.model_max_length)
        self._padding = {"input_ids": self.tokenizer.pad_token_id or 0}  # all other inputs: 0
        self.batcher = Batcher(
            self._forward,
            batch_tokens=self.limits.batch_tokens,
            overhead=1_024 if device == "cuda" else 32,
            queue=self.limits.max_queue,
        )

    @property
    def ready(self) -> bool:
        return self.batcher.ready

    @property
    def status(self) -> str:
        return self.batcher.status

    @property
    def labels(self) -> Sequence[str]:
        return self.head.labels

    def start(self) -> None:
        """Move the model to its device, check and warm it up, and begin to take texts."""
        self.model.to(self.device)
        is_old = self.device == "cuda" and torch.cuda.get_device_capability() < (8, 0)
        if is_old and self.model.dtype == torch.bfloat16:
            self.model.half()  # these, a T4 for one, have no bfloat16
        self._compare_padding()
        self.batcher.start()

    async def read(self, texts: Sequence[Text]) -> list[Reading]:
        tokens = await self._encode(texts)
        lengths = [len(each["input_ids"]) for each in tokens]
        for place, length in enumerate(lengths):
            if length > self.length:
                which = f"Text {place + 1} of {len(texts)}" if len(texts) > 1 else "The text"
                raise RefusedError(
                    f"{which} has {length} tokens; at most {self.length} are allowed"
                )
            if not length:
                raise RefusedError("A text has no tokens")
        values = await self.batcher.read(tokens, lengths)
        return [Reading(*each) for each in zip(values, lengths, strict=True)]

    async def close(self) -> None:
        await asyncio.to_thread(self.batcher.close, self.limits.drain_seconds)

    async def _encode(self, texts: Sequence[Text]) -> list[Tokens]:
        def encode(tokenizer: Any) -> list[Tokens]:
            inputs = tokenizer(list(texts), verbose=False, return_attention_mask=False)
            names = list(inputs)
            return [
                dict(zip(names, each, strict=True)) for each in zip(*inputs.values(), strict=True)
            ]

        if sum(map(_size, texts)) < LONG:  # a thread costs more
            return encode(self.tokenizer)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._patience, encode, self._long)

    def _forward(self, texts: Sequence[Tokens]) -> list[list[float]]:
        """Padded at the end to the longest."""
        longest = max(len(each["input_ids"]) for each in texts)
        batch = {
            name: torch.tensor(
                [
                    each[name] + [self._padding.get(name, 0)] * (longest - len(each[name]))
                    for each in texts
                ]
            )
            for name in texts[0]
        }
        lengths = torch.tensor([len(each["input_ids"]) for each in texts])
        batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
        with torch.inference_mode():
            values = self.head({name: each.to(self.device) for name, each in batch.items()})
        found: list[list[float]] = values.float().cpu().tolist()
        return found

    def _compare_padding(self) -> None:
        """Some models read padding too, and would give a text other values in other company.

        Raises:
            RuntimeError: when this is one.
        """
        long, short = (self.tokenizer(text) for text in ("one two three " * 8, "one"))
        names = [name for name in short if name != "attention_mask"]
        inputs = [{name: list(each[name]) for name in names} for each in (long, short)]
        _, beside = self._forward(inputs)
        (alone,) = self._forward(inputs[1:])
        difference = max(abs(one - other) for one, other in zip(alone, beside, strict=True))
        if not difference < 0.05 * max(map(abs, alone)):
            raise RuntimeError(
                f"{type(self.model).__name__} reads padding: a text has other values beside a longer one"
            )


def number_format(wanted: str, device: str) -> torch.dtype:
    if wanted == "float32":
        return torch.float32
    has_it = {"amx_bf16", "avx512_bf16"} & {
        name for name, value in torch.cpu.get_capabilities().items() if value
    }
    is_slow = wanted == "auto" and device == "cpu" and not has_it
    return torch.float32 if is_slow else torch.bfloat16


def _size(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))
