"""A model of the transformers library as an engine: one job at a time, on a thread of its own.

Import it where the model is loaded and nowhere else: torch and transformers take seconds.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    StoppingCriteriaList,
)

from .engine import Completion, Job, PromptRefusedError, cut


class TransformersEngine:
    def __init__(self, path: Path, *, device: str, max_prompt_tokens: int) -> None:
        """Load the model into memory, in the number format of its device.

        A device that is named is not touched yet, so that a memory snapshot can be taken after this.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self.max_prompt_tokens = max_prompt_tokens
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.float32 if device == "cpu" else torch.bfloat16,
            local_files_only=True,
            use_safetensors=True,
        )
        config = self.model.config.get_text_config()
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        end = self.model.generation_config.eos_token_id
        if end is None:
            end = self.tokenizer.eos_token_id
        self.end_tokens: list[int] = (
            [] if end is None else [end] if isinstance(end, int) else list(end)
        )
        # A job says all there is to say about sampling; the model's own defaults would add to it unseen.
        self.model.generation_config = GenerationConfig.from_dict(
            {
                "eos_token_id": self.end_tokens or None,
                "pad_token_id": self.end_tokens[0] if self.end_tokens else 0,
            }
        )
        self._worker: ThreadPoolExecutor | None = None

    @property
    def ready(self) -> bool:
        return self._worker is not None

    def start(self) -> None:
        """Move the model to its device, warm it up, and begin to take jobs."""
        # Containers that start from one snapshot would otherwise all draw the same numbers.
        torch.seed()
        if self.device == "cuda" and torch.cuda.device_count() > 1:
            self._spread()
        else:
            self.model.to(self.device)
        self._complete([0], Job(prompt="", max_new_tokens=2), threading.Event())
        # `generate` is not thread-safe, and two at once would only slow each other down.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def generate(self, job: Job) -> Completion:
        if not self._worker:
            raise RuntimeError("start() was not called")
        cancelled = threading.Event()
        try:
            return await asyncio.wrap_future(self._worker.submit(self._generate, job, cancelled))
        finally:
            cancelled.set()

    def _generate(self, job: Job, cancelled: threading.Event) -> Completion:
        prompt: list[int] = self.tokenizer(job.prompt, verbose=False)["input_ids"]
        self._check_length(len(prompt), job.max_new_tokens)
        return self._complete(prompt, job, cancelled)

    def _complete(self, prompt: list[int], job: Job, cancelled: threading.Event) -> Completion:
        def is_over(tokens: torch.Tensor, _scores: object, **_: object) -> torch.Tensor:
            over = cancelled.is_set()
            if job.stop and not over:
                text = completion_text(self.tokenizer, prompt, tokens[0, len(prompt) :].tolist())
                over = cut(text, job.stop)[1]
            return torch.full((1,), over, device=tokens.device)

        tokens = torch.tensor([prompt], device=self.model.device)
        sampling: dict[str, Any] = {"do_sample": False}
        if job.temperature > 0.001:  # less divides the scores into infinity
            sampling = {
                "do_sample": True,
                "temperature": job.temperature,
                "top_p": job.top_p,
                "top_k": 0,
            }
        output = self.model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            stopping_criteria=StoppingCriteriaList([is_over]),
            max_new_tokens=job.max_new_tokens,
            **sampling,
        )
        new: list[int] = output[0, len(prompt) :].tolist()
        text, stopped = cut(completion_text(self.tokenizer, prompt, new), job.stop)
        stopped = stopped or new[-1] in self.end_tokens
        return Completion(
            # The limit may fall in the middle of a character.
            text=text if stopped else text.rstrip("\ufffd"),
            finish_reason="stop" if stopped else "length",
            prompt_tokens=len(prompt),
            completion_tokens=len(new),
        )

    def _check_length(self, count: int, max_new_tokens: int) -> None:
        if not count:
            raise PromptRefusedError("The prompt has no tokens")
        if count > self.max_prompt_tokens:
            raise PromptRefusedError(
                f"The prompt has {count} tokens; at most {self.max_prompt_tokens} are allowed"
            )
        if self.context and count + max_new_tokens > self.context:
            raise PromptRefusedError(
                f"The prompt has {count} tokens; with max_new_tokens={max_new_tokens} that exceeds "
                f"the {self.context} that the model can hold"
            )

    def _spread(self) -> None:
        """Put the layers on all GPUs, one group after the other, for a model that is too large for one."""
        from accelerate import dispatch_model, infer_auto_device_map
        from accelerate.utils import get_balanced_memory

        whole = {"no_split_module_classes": list(self.model._no_split_modules or [])}
        memory = get_balanced_memory(self.model, **whole)
        self.model = dispatch_model(
            self.model, infer_auto_device_map(self.model, max_memory=memory, **whole)
        )


def completion_text(tokenizer: Any, prompt: list[int], new: list[int]) -> str:
    """The text that the new tokens add.

    Decoded behind the end of the prompt, because some tokenizers drop the blank that a text begins with.
    """
    context = prompt[-8:]

    def decode(tokens: list[int]) -> str:
        text: str = tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    before, text = decode(context), decode(context + new)
    return text.removeprefix(before) if text.startswith(before) else decode(new)
