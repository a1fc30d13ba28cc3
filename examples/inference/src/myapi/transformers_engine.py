"""A model of the transformers library as an engine: loaded once, and asked by many at once.

Import it where the model is loaded and nowhere else: torch and transformers take seconds.
"""

import asyncio
import contextlib
import copy
import logging
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from pydantic_settings import BaseSettings
from transformers import AutoModelForCausalLM, AutoTokenizer

from . import slots, weights
from .batching import Batcher
from .engine import Completion, Job, Message, PromptRefusedError
from .graphs import Graphs, prepare
from .packing import pack
from .request import Request
from .sampling import Sampling
from .slots import Part, Slots, Step
from .text import TextStream

# So often a stream says at least that it is still there.
PING_SECONDS = 15
# Characters of a prompt that would hold up the event loop while they become tokens.
LONG = 1_000
# Steps that also take prompts are not recorded, and one takes as long as many that are. As long is left between two of
# them, so that prompts take half of the time at most; but no more than so many recorded steps, for who waits.
MOST_APART = 16
log = logging.getLogger(__name__)


class Limits(BaseSettings):
    """What a container takes, from environment variables of these names."""

    # Requests that are answered at once. More wait, `max_queue` of them at most; then 503.
    max_batch: int = Field(default=64, gt=0)
    max_queue: int = Field(default=64, ge=0)
    # Tokens that one request may ask for.
    max_new_tokens: int = Field(default=1_024, gt=0)
    # Tokens of prompts in one step. Fewer make long prompts slower, and gaps in others' streams shorter.
    prefill_chunk: int = Field(default=512, gt=0)
    # Memory for the cache of keys and values where there is no GPU; there it is what the model leaves free.
    cache_megabytes: int = Field(default=1_024, gt=0)
    # Seconds between two pieces of a stream. Oftener than a reader can see only takes time from the model.
    stream_interval: float = Field(default=0.05, ge=0)
    # Seconds that a stop leaves to requests that have begun. Modal leaves 30.
    drain_seconds: float = Field(default=20, ge=0)


class TransformersEngine:
    def __init__(self, path: Path, *, device: str, max_prompt_tokens: int) -> None:
        """Load the model into memory, in the number format of its device.

        A device that is named is not touched yet, so that a memory snapshot can be taken after this.

        Raises:
            RuntimeError: when the model lacks weights.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self.limits = Limits()
        self.max_prompt_tokens = max_prompt_tokens
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        # A tokenizer is for one thread at a time: the event loop's, the model's, and one for long texts.
        self._decoder: Any = copy.deepcopy(self.tokenizer)
        self._long: Any = copy.deepcopy(self.tokenizer)
        self._patience = ThreadPoolExecutor(1, "tokens")
        self.model: Any = weights.load(
            AutoModelForCausalLM,
            path,
            dtype=torch.float32 if device == "cpu" else torch.bfloat16,
            attn_implementation=slots.NAME,
            local_files_only=True,
            use_safetensors=True,
        )
        if device == "cpu":
            pack(self.model)
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        # Tokens of one request, prompt and answer together.
        wanted = max_prompt_tokens + self.limits.max_new_tokens
        self.length: int = min(wanted, context or wanted)
        end = self.model.generation_config.eos_token_id
        if end is None:
            end = self.tokenizer.eos_token_id
        self._graphs: Graphs | None = None
        self.batcher = Batcher(
            self._prepare,
            self._forward,
            device=torch.device(device),
            end_tokens=[] if end is None else [end] if isinstance(end, int) else list(end),
            chunk=self.limits.prefill_chunk,
            queue=self.limits.max_queue,
        )

    @property
    def ready(self) -> bool:
        return self.batcher.ready

    @property
    def status(self) -> str:
        return self.batcher.status

    def start(self) -> None:
        """Move the model to its device, check and warm it up, and begin to take jobs."""
        if self.device == "cuda" and torch.cuda.device_count() > 1:
            self._spread()
        else:
            self.model.to(self.device)
        if self.device == "cuda" and torch.cuda.get_device_capability() < (8, 0):
            self.model.half()  # these, a T4 for one, have no bfloat16
        self.batcher.start()

    def chat(self, messages: Sequence[Message]) -> str:
        if not self.tokenizer.chat_template:
            raise PromptRefusedError("This model has no chat template: it continues texts")
        try:
            prompt: str = self.tokenizer.apply_chat_template(
                [asdict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:  # the template is the model's, and may raise what it likes
            raise PromptRefusedError(f"The model's chat template refuses this: {error}") from error
        return prompt

    async def generate(self, job: Job) -> Completion:
        with self._request(job, await self._encode(job), None) as request:
            result = await request.results.get()
        if not isinstance(result, Completion):
            raise result if isinstance(result, Exception) else TypeError(result)
        log.info("generated", extra=request.timings())
        return result

    async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        tokens = await self._encode(job)
        with self._request(job, tokens, self.limits.stream_interval) as request:
            pings = asyncio.create_task(_ping(request))
            try:
                result: str | Completion | Exception = ""
                while not isinstance(result, Completion):
                    result = await request.results.get()
                    if isinstance(result, Exception):
                        raise result
                    yield result
            finally:
                pings.cancel()
        log.info("generated", extra=request.timings())

    async def close(self) -> None:
        await asyncio.to_thread(self.batcher.close, self.limits.drain_seconds)

    @contextlib.contextmanager
    def _request(self, job: Job, prompt: list[int], interval: float | None) -> Iterator[Request]:
        """In line until it is answered, or nobody waits for the answer any more."""
        request = Request(
            prompt,
            self._limit(len(prompt), job.max_new_tokens),
            Sampling(job.temperature, job.top_p, random.Random(job.seed)),  # noqa: S311 (sampling, not secrets)
            TextStream(self._decode, prompt, job.stop),
            interval=interval,
        )
        self.batcher.submit(request)
        try:
            yield request
        finally:
            request.cancelled = True

    async def _encode(self, job: Job) -> list[int]:
        def encode(tokenizer: Any) -> list[int]:
            tokens = tokenizer(job.prompt, verbose=False, add_special_tokens=not job.is_chat)
            return list(tokens["input_ids"])

        if len(job.prompt) < LONG:  # a thread costs more
            return encode(self.tokenizer)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._patience, encode, self._long)

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._decoder.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _limit(self, count: int, wanted: int | None) -> int:
        """How many tokens may follow a prompt of so many."""
        if not count:
            raise PromptRefusedError("The prompt has no tokens")
        if count > self.max_prompt_tokens:
            raise PromptRefusedError(
                f"The prompt has {count} tokens; at most {self.max_prompt_tokens} are allowed"
            )
        if wanted is not None and wanted > self.limits.max_new_tokens:
            raise PromptRefusedError(
                f"max_new_tokens={wanted} is too many; "
                f"at most {self.limits.max_new_tokens} are allowed"
            )
        if count + (wanted or 1) > self.length:
            raise PromptRefusedError(
                f"The prompt has {count} tokens; with max_new_tokens={wanted or 1} that exceeds "
                f"the {self.length} that the model can hold"
            )
        return wanted or min(self.limits.max_new_tokens, self.length - count)

    def _forward(self, tokens: list[int], step: Step, wanted: list[int]) -> torch.Tensor:
        row = torch.tensor([tokens], device=self.device)
        if self._graphs and not step.parts:
            return self._graphs.run(row, step)
        logits = self._score(row, step, torch.tensor(wanted, dtype=torch.long, device=self.device))
        # A model that knows nothing of `logits_to_keep` gives the scores of all.
        return logits if len(logits) == len(wanted) else logits[wanted]

    def _score(
        self, tokens: torch.Tensor, step: Step, wanted: torch.Tensor | int = 0
    ) -> torch.Tensor:
        scores: torch.Tensor = self.model(
            tokens,
            position_ids=step.positions[None],
            use_cache=False,
            logits_to_keep=wanted,  # 0 is all
            step=step,
        ).logits[0]
        return scores

    def _prepare(self) -> Slots:
        self._graphs = None
        probe = Slots(count=2, length=16)
        with torch.inference_mode():
            try:
                likeness, why = self._compare_attention(probe), ""
            except (AttributeError, TypeError) as error:  # the model's code does not get along
                likeness, why = 0, str(error)
            if likeness < 0.99:
                raise RuntimeError(
                    f"{type(self.model).__name__} has an attention that this engine does not know "
                    f"({why or f'scores are alike by {likeness:.3f}'}): "
                    "serve it with vLLM, in the style `server`"
                )
            slots_ = Slots(self._slot_count(probe.bytes_per_token()) + 1, self.length)
            device = torch.device(self.device)
            self._forward([0, 0], Step(slots_, [], [Part(0, 0, 2)], device), [1])
            self._forward([0], Step(slots_, [2], [], device), [0])
            if self.device == "cuda" and torch.cuda.device_count() == 1:
                self._graphs = prepare(self._score, slots_, device)
            gain = self._graphs.gain() if self._graphs else 0
            self.batcher.apart = min(MOST_APART, round(gain))
        return slots_

    def _compare_attention(self, probe: Slots) -> float:
        """How alike are scores by slots and by the model's own attention? Some models want what slots do not know."""
        device = torch.device(self.device)
        text = [index % self.model.config.get_text_config().vocab_size for index in range(1, 9)]
        self._forward(text[:3], Step(probe, [], [Part(0, 0, 3)], device), [2])
        self._forward(text[3:5], Step(probe, [], [Part(0, 3, 2)], device), [1])
        for index in range(5, 8):
            own = self._forward([text[index]], Step(probe, [index], [], device), [0])
        self.model.set_attn_implementation("eager")
        try:
            whole = self.model(torch.tensor([text], device=device), use_cache=False).logits[:, -1]
        finally:
            self.model.set_attn_implementation(slots.NAME)
        likeness: float = torch.cosine_similarity(own.float(), whole.float()).item()
        return likeness

    def _slot_count(self, bytes_per_token: int) -> int:
        """How many requests the memory of the container or of its GPU can hold at once."""
        room = self.limits.cache_megabytes * 1_000_000
        if self.device == "cuda":
            torch.cuda.empty_cache()
            room = int(torch.cuda.mem_get_info()[0] * 0.8)  # the rest is for what a step needs
        one = bytes_per_token * self.length
        count = min(self.limits.max_batch, room // one - 1)
        if count < 1:
            raise RuntimeError(
                f"The cache of two requests of {self.length} tokens needs {2 * one / 1e6:.0f} MB, and "
                f"{room / 1e6:.0f} MB are there: lower MAX_PROMPT_TOKENS or MAX_NEW_TOKENS"
            )
        log.info("cache", extra={"requests": count, "tokens": self.length, "bytes": count * one})
        return count

    def _spread(self) -> None:
        """Put the layers on all GPUs, one group after the other, for a model that is too large for one."""
        from accelerate import dispatch_model, infer_auto_device_map
        from accelerate.utils import get_balanced_memory

        whole = {"no_split_module_classes": list(self.model._no_split_modules or [])}
        memory = get_balanced_memory(self.model, **whole)
        self.model = dispatch_model(
            self.model, infer_auto_device_map(self.model, max_memory=memory, **whole)
        )


async def _ping(request: Request) -> None:
    while True:
        await asyncio.sleep(PING_SECONDS)
        request.results.put_nowait("")
