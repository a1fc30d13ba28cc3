"""From what the model makes of a query and a document to how well the one answers the other."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from . import weights


class Head:
    """A cross-encoder: https://sbert.net/docs/package_reference/cross_encoder/cross_encoder.html"""

    labels: tuple[str, ...] = ()

    def __init__(self, path: Path, **options: Any) -> None:
        """Load it.

        Args:
            path: the model's directory.
            options: those of `from_pretrained`.

        Raises:
            RuntimeError: when it gives more than one score.
        """
        self.model: Any = weights.load(AutoModelForSequenceClassification, path, **options)
        count = self.model.config.num_labels
        if count != 1:
            raise RuntimeError(
                f"This model gives {count} scores, one for each label: serve it with task=classify"
            )

    def __call__(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Relevance, from 0 to 1.

        Args:
            batch: the model's inputs, [pairs, tokens] each, padded at the end where `attention_mask` is 0.

        Returns:
            [pairs, 1]
        """
        scores: torch.Tensor = self.model(**batch).logits.float()
        return scores.sigmoid()
