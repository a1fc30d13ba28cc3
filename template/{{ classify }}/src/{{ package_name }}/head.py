"""From what the model makes of a text to a probability for each label, as the model was trained."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from . import weights


class Head:
    """A model with a score for each label: https://huggingface.co/docs/transformers/tasks/sequence_classification"""

    def __init__(self, path: Path, **options: Any) -> None:
        """Load it.

        Args:
            path: the model's directory.
            options: those of `from_pretrained`.

        Raises:
            RuntimeError: when it has no labels to choose from.
        """
        self.model: Any = weights.load(AutoModelForSequenceClassification, path, **options)
        config = self.model.config
        if config.num_labels < 2:
            raise RuntimeError("This model gives one score, no labels: serve it with task=rerank")
        self.labels: tuple[str, ...] = tuple(
            str(config.id2label[index]) for index in range(config.num_labels)
        )
        # Whether several labels can be true at once.
        self.is_multiple = config.problem_type == "multi_label_classification"

    def __call__(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Probabilities, which add up to 1 where a text has one label.

        Args:
            batch: the model's inputs, [texts, tokens] each, padded at the end where `attention_mask` is 0.

        Returns:
            [texts, labels]
        """
        scores: torch.Tensor = self.model(**batch).logits.float()
        return scores.sigmoid() if self.is_multiple else scores.softmax(1)
