"""What a model that reads texts can be asked, whatever runs it.

The application knows only this interface: `transformers_engine.py` stands behind it on Modal, `echo.py` on
a machine without a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# A pair is read together, as a question and what may answer it.
Text = str | tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """What the model makes of one text."""

    values: list[float]  # one for each of the engine's labels, or a vector where it has none
    tokens: int


class RefusedError(ValueError):
    """The model cannot do that with this text. The message is for the caller."""


class BusyError(RuntimeError):
    """Too many wait already, or the engine is not ready. Another try later may succeed."""


class EngineFailedError(RuntimeError):
    """The model broke while it worked on these texts."""


class Engine(Protocol):
    @property
    def ready(self) -> bool:
        """Whether texts are taken."""

    @property
    def status(self) -> str:
        """Why not, in a word or two: loading, draining, failed."""

    @property
    def labels(self) -> Sequence[str]:
        """The names of the values of a reading, where they have any."""

    async def read(self, texts: Sequence[Text]) -> list[Reading]:
        """Read these texts, each by itself. Many may ask at once; who no longer waits for it is left out.

        Raises:
            RefusedError: when a text does not fit the model.
            BusyError: when no more texts are taken.
            EngineFailedError: when the model broke.
        """

    async def close(self) -> None:
        """Take no more texts, finish those there are or give them up after a while, and free the model."""
