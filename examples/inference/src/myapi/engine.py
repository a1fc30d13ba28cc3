"""What a model can be asked, whatever runs it.

The application knows only this interface: `transformers_engine.py` stands behind it on Modal, `echo.py` on
a machine without a model.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class Job:
    prompt: str
    max_new_tokens: int | None = None  # None: as many as the model and the limits allow
    temperature: float = 0.0  # 0 takes the likeliest token each time
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None  # the same seed draws the same numbers
    is_chat: bool = False  # the prompt comes from `chat`, with all special tokens in it


@dataclass(frozen=True, kw_only=True)
class Completion:
    text: str  # without the prompt, and without the stop string
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Message:
    role: str
    content: str


class PromptRefusedError(ValueError):
    """The model cannot take this prompt. The message is for the caller."""


class BusyError(RuntimeError):
    """Too many wait already, or the engine is not ready. Another try later may succeed."""


class EngineFailedError(RuntimeError):
    """The model broke while it worked on this job."""


class Engine(Protocol):
    @property
    def ready(self) -> bool:
        """Whether jobs are taken."""

    @property
    def status(self) -> str:
        """Why not, in a word or two: loading, draining, failed."""

    def chat(self, messages: Sequence[Message]) -> str:
        """The prompt that a conversation makes, by the model's own template.

        Raises:
            PromptRefusedError: when the model has no template, or its template refuses the roles.
        """

    async def generate(self, job: Job) -> Completion:
        """Complete one prompt. Many may be asked for at once; a cancelled one stops within a step.

        Raises:
            PromptRefusedError: when the prompt does not fit the model.
            BusyError: when no more jobs are taken.
            EngineFailedError: when the model broke.
        """

    def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        """The same, piece by piece: texts as they come, in the end the whole completion.

        An empty text says that there is nothing new yet, so that the connection is not given up.
        A refusal comes with the first piece, so that the caller can still choose the status of the answer.
        """

    async def close(self) -> None:
        """Take no more jobs, finish those there are or give them up after a while, and free the model."""


def cut(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the first of the stop strings, and whether there was one."""
    ends = [end for string in stop if (end := text.find(string)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)
