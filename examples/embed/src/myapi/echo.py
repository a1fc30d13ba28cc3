"""A stand-in for a model: for tests, and for a machine that has none. Never used on Modal."""

import hashlib
import math
from collections.abc import Sequence

from .engine import Reading, RefusedError, Text

DIMENSIONS = 8


class EchoEngine:
    """Gives each word a direction by its hash, and a text the sum of them: texts that share words are near each other."""

    ready = True
    labels: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return "ready" if self.ready else "loading"

    async def read(self, texts: Sequence[Text]) -> list[Reading]:
        return [self._read(str(text)) for text in texts]

    def _read(self, text: str) -> Reading:
        words = text.lower().split()
        if not words:
            raise RefusedError("A text has no tokens")
        vector = [0.0] * DIMENSIONS
        for word in words:
            digest = hashlib.blake2b(word.encode(), digest_size=1).digest()[0]
            vector = [value + (1 if digest >> bit & 1 else -1) for bit, value in enumerate(vector)]
        length = math.hypot(*vector)
        return Reading([value / length for value in vector] if length else vector, len(words))

    async def close(self) -> None:
        self.ready = False
