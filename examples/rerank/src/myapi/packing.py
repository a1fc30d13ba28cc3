"""On a CPU: weights laid out for oneDNN, which multiplies many rows up to twice as fast as torch does by itself.

torch.compile does the same there (https://docs.pytorch.org/docs/stable/torch.compiler.html), after minutes of compiling.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

# A call costs oneDNN some microseconds more. A small matrix is kept in both layouts, for when there are few rows.
FEW_ROWS = 6
SMALL_BYTES = 4_000_000


def pack(model: Any) -> None:
    """Put all matrices of a model into that layout, where torch can."""
    # None of them is public, so torch may rename them.
    names = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")
    known = all(hasattr(torch.ops.mkldnn, name) for name in names)
    if not known or not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return
    if model.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach()
        elif isinstance(layer, Conv1D):
            weight = layer.weight.detach().T.contiguous()
        else:
            continue
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        few = layer.forward if weight.nbytes < SMALL_BYTES else None
        if few is None:
            del layer.weight
            layer.weight = packed
        layer.forward = functools.partial(multiply, few, packed, layer.bias)


def multiply(
    few: Callable[[torch.Tensor], torch.Tensor] | None,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    rows: torch.Tensor,
) -> Any:
    """Rows times a packed matrix, [..., rows, width]; `few` does it where there are few."""
    if few is not None and rows.shape[-2] < FEW_ROWS:
        return few(rows)
    return torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
