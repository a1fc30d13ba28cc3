"""The next token of each request. None looks at its neighbours: each has its own temperature, top_p and random numbers."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

# Below it a division of the scores would overflow, and the likeliest token wins anyway.
GREEDY = 0.001


@dataclass(frozen=True)
class Sampling:
    temperature: float
    top_p: float
    numbers: random.Random  # seeded by the caller, or by the operating system

    @property
    def greedy(self) -> bool:
        return self.temperature <= GREEDY


def choose(logits: torch.Tensor, rows: Sequence[Sampling]) -> list[int]:
    """One token for each row.

    Args:
        logits: scores, [rows, vocabulary].
        rows: how each is chosen from.
    """
    tokens = logits.argmax(-1)
    drawn = [index for index, row in enumerate(rows) if not row.greedy]
    if drawn:
        tokens[drawn] = _draw(logits[drawn].float(), [rows[index] for index in drawn])
    result: list[int] = tokens.tolist()
    return result


def _draw(logits: torch.Tensor, rows: Sequence[Sampling]) -> torch.Tensor:
    """By the inverse of the distribution: one random number chooses, so a seed decides alone."""

    def column(numbers: list[float]) -> torch.Tensor:
        return torch.tensor(numbers, device=logits.device)[:, None]

    probabilities = (logits / column([row.temperature for row in rows])).softmax(-1)
    order = None
    if any(row.top_p < 1 for row in rows):
        probabilities, order = probabilities.sort(-1, descending=True)
        before = probabilities.cumsum(-1) - probabilities
        likely = before < column([row.top_p for row in rows])
        likely[:, 0] = True
        probabilities = probabilities * likely
    sums = probabilities.cumsum(-1)
    # 23 bits: a float32 times less than one is then less than itself.
    chance = column([row.numbers.getrandbits(23) / 2**23 for row in rows])
    tokens = torch.searchsorted(sums, chance * sums[:, -1:], right=True)
    tokens.clamp_(max=sums.shape[-1] - 1)  # scores that are no numbers lead beyond the last
    return (tokens if order is None else order.gather(-1, tokens))[:, 0]
