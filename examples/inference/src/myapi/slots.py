"""The cache of keys and values, one slot for each request, and attention over it in one pass for all.

transformers lets a model run with an attention function of one's own, and hands it whatever the call brings:
https://huggingface.co/docs/transformers/attention_interface. So one forward pass takes the tokens of all requests
behind each other, the next token of those that are being answered and parts of new prompts alike. The linear layers,
which are nearly all of the work, see one long row; only attention tells the requests apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "slots"


@dataclass(frozen=True)
class Part:
    """A piece of a prompt: `count` tokens for `slot`, the first of them at position `start`."""

    slot: int
    start: int
    count: int


class Slots:
    """Keys and values, [slots, heads, length, width] for each layer. Made when a layer first asks, on its device."""

    def __init__(self, count: int, length: int) -> None:
        self.count = count
        self.length = length
        self._keys: dict[int, torch.Tensor] = {}
        self._values: dict[int, torch.Tensor] = {}

    def write(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor, step: "Step"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the tokens of a step, [tokens, heads, width]; return all that the layer has."""
        if layer not in self._keys:
            for store, new in ((self._keys, keys), (self._values, values)):
                store[layer] = blank(new, (self.count, new.shape[1], self.length, new.shape[2]))
        slots, positions = step.where(keys.device)
        for store, new in ((self._keys, keys), (self._values, values)):
            store[layer][slots, :, positions] = new
        return self._keys[layer], self._values[layer]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a slot to another."""
        for store in (self._keys, self._values):
            for tensor in store.values():
                tensor[target, :, :length] = tensor[source, :, :length]

    def bytes_per_token(self) -> int:
        tensors = [*self._keys.values(), *self._values.values()]
        total: int = sum(tensor.nbytes for tensor in tensors)
        return total // (self.count * self.length)


def blank(like: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Zeros, because what a mask hides is still multiplied, and nothing times infinity is no number."""
    if like.device.type == "cpu":  # where numpy's zeros take no memory before they are used
        return torch.from_numpy(numpy.zeros(shape, numpy.float32)).to(like.dtype)
    return like.new_zeros(shape)


class Step:
    """Where the tokens of one forward pass belong: first one for each of the slots 0, 1, …, then parts of prompts.

    Args:
        slots: the cache.
        lengths: how many tokens each of those slots has already.
        parts: the pieces of prompts.
        device: of the model's input.
    """

    def __init__(
        self, slots: Slots, lengths: Sequence[int], parts: Sequence[Part], device: torch.device
    ) -> None:
        self.cache = slots
        self.rows = len(lengths)
        self.parts = parts
        self.longest = max(lengths, default=0) + 1
        of_parts = [
            (part.slot, part.start + index) for part in parts for index in range(part.count)
        ]
        self._where = torch.tensor([*enumerate(lengths), *of_parts], device=device).reshape(-1, 2)
        # Masks are the same for all layers of one kind.
        self._visible: dict[int | None, torch.Tensor] = {}
        self._causal: dict[tuple[Part, int | None], torch.Tensor] = {}

    def take(self, step: "Step") -> None:
        """Put another step's rows in place of the first of these, in the same memory."""
        self._where[: step.rows] = step._where

    def forget(self) -> None:
        """Make masks anew."""
        self._visible.clear()

    @property
    def positions(self) -> torch.Tensor:
        """The place of each token in its request, [tokens]."""
        return self._where[:, 1]

    def where(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Slot and position of each token; layers may lie on several GPUs."""
        self._where = self._where.to(device)
        return self._where[:, 0], self._where[:, 1]

    def visible(self, window: int | None, device: torch.device) -> torch.Tensor:
        """What each row may look at, [rows, 1, 1, longest]: its own past, or as much of it as a window leaves."""
        if window not in self._visible:
            own = self._where[: self.rows, 1:]
            every = torch.arange(self.longest, device=own.device)
            visible = every <= own if window is None else (every <= own) & (every > own - window)
            self._visible[window] = visible[:, None, None]
        self._visible[window] = self._visible[window].to(device)
        return self._visible[window]

    def causal(self, part: Part, window: int | None, device: torch.device) -> torch.Tensor:
        """What each token of a part may look at, [count, start + count]."""
        if (part, window) not in self._causal:
            shape = part.count, part.start + part.count
            mask = torch.ones(shape, dtype=torch.bool, device=device).tril(part.start)
            windowed = mask if window is None else mask.triu(part.start - window + 1)
            self._causal[part, window] = windowed
        self._causal[part, window] = self._causal[part, window].to(device)
        return self._causal[part, window]


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    step: Step,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention for all tokens of a step, as transformers calls it: query [1, heads, tokens, width], and the like."""
    if softcap is not None or s_aux is not None:
        raise TypeError("scores that are capped, and sinks, are not known here")
    heads, tokens, width = query.shape[1], query.shape[2], value.shape[3]
    group = heads // key.shape[1]  # query heads that share a head of keys
    new = key[0].transpose(0, 1), value[0].transpose(0, 1)
    keys, values = step.cache.write(module.layer_idx, *new, step)
    out = query.new_empty(tokens, heads, width)

    if rows := step.rows:
        # One token a row: heads that share keys stand where tokens would, and nothing is copied for them.
        grouped = query[0, :, :rows].transpose(0, 1).reshape(rows, heads // group, group, -1)
        answer = scaled_dot_product_attention(
            grouped,
            keys[:rows, :, : step.longest],
            values[:rows, :, : step.longest],
            attn_mask=step.visible(sliding_window, query.device),
            scale=scaling,
        )
        out[:rows] = answer.reshape(rows, heads, width)

    done = rows
    for part in step.parts:
        end = part.start + part.count
        windowed = sliding_window is not None and end > sliding_window
        whole = part.start == 0 and not windowed  # then a kernel needs no mask
        answer = scaled_dot_product_attention(
            query[:, :, done : done + part.count],
            spread(keys[part.slot, None, :, :end], group),
            spread(values[part.slot, None, :, :end], group),
            attn_mask=None if whole else step.causal(part, sliding_window, query.device),
            is_causal=whole,
            scale=scaling,
        )
        out[done : done + part.count] = answer[0].transpose(0, 1)
        done += part.count
    return out[None], None


def spread(heads: torch.Tensor, group: int) -> torch.Tensor:
    """Each head once for every one that shares it."""
    return heads if group == 1 else heads.repeat_interleave(group, 1)


AttentionInterface.register(NAME, attend)
