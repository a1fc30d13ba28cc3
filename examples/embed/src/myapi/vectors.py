"""What is done with a vector after the model made it."""

import math
from array import array
from base64 import b64encode
from collections.abc import Sequence

from .engine import RefusedError


def shorten(vector: Sequence[float], dimensions: int | None) -> list[float]:
    """Its first dimensions, of length 1 again. Models that are trained for it lose little:
    https://sbert.net/examples/sentence_transformer/training/matryoshka/README.html

    Raises:
        RefusedError: when it has not so many.
    """
    if dimensions is None or dimensions == len(vector):
        return list(vector)
    if dimensions > len(vector):
        raise RefusedError(f"dimensions={dimensions} is too many; at most {len(vector)} are there")
    first = vector[:dimensions]
    length = math.hypot(*first) or 1.0
    return [value / length for value in first]


def as_base64(vector: Sequence[float]) -> str:
    """As OpenAI's clients ask for it: 4 bytes for each number, which is a fifth of what it takes in JSON."""
    return b64encode(array("f", vector).tobytes()).decode()
