"""What a model can be asked, whatever runs it.

The application knows only this interface: `transformers_engine.py` stands behind it on Modal, `echo.py` on
a machine without a model.
"""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class Job:
    prompt: str
    max_new_tokens: int
    temperature: float = 0.0  # 0 takes the likeliest token each time
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Completion:
    text: str  # without the prompt, and without the stop string
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


class PromptRefusedError(ValueError):
    """The model cannot take this prompt. The message is for the caller."""


class Engine(Protocol):
    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""

    async def generate(self, job: Job) -> Completion:
        """Complete one prompt. Many may be asked for at once; a cancelled one stops early.

        Raises:
            PromptRefusedError: when the prompt does not fit the model.
        """


def cut(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the first of the stop strings, and whether there was one."""
    ends = [end for string in stop if (end := text.find(string)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)
