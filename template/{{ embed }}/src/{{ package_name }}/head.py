"""From what the model makes of each token to one vector for the text, as the model was trained."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel

from . import weights


class Head:
    """A model and how its tokens become one vector.

    What sentence-transformers writes beside a model says how:
    https://sbert.net/docs/package_reference/sentence_transformer/models.html
    """

    labels: tuple[str, ...] = ()

    def __init__(self, path: Path, **options: Any) -> None:
        """Load it.

        Args:
            path: the model's directory.
            options: those of `from_pretrained`.

        Raises:
            RuntimeError: when its vectors are made in a way that is not known here.
        """
        self.pooling = find_pooling(path)
        self.model: Any = weights.load(AutoModel, path, unused=("pooler.",), **options)

    def __call__(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Vectors of length 1.

        Args:
            batch: the model's inputs, [texts, tokens] each, padded at the end where `attention_mask` is 0.

        Returns:
            [texts, dimensions]
        """
        states = self.model(**batch).last_hidden_state.float()
        mask = batch["attention_mask"]
        if self.pooling == "cls":
            vectors = states[:, 0]
        elif self.pooling == "lasttoken":
            vectors = states[torch.arange(len(states)), mask.sum(1) - 1]
        else:
            present = mask[..., None]
            vectors = (states * present).sum(1) / present.sum(1)
        return torch.nn.functional.normalize(vectors, dim=1)


def find_pooling(path: Path) -> str:
    """`cls`, `lasttoken` or `mean`, which is what a model without any word of it gets.

    Raises:
        RuntimeError: for any other.
    """
    modules = path / "modules.json"
    if not modules.exists():
        return "mean"
    declared = json.loads(modules.read_text())
    listed = [(each["type"].rpartition(".")[2], each["path"]) for each in declared]
    unknown = {kind for kind, _ in listed} - {"Transformer", "Pooling", "Normalize"}
    wanted = [place for kind, place in listed if kind == "Pooling"]
    if unknown or len(wanted) != 1:
        raise RuntimeError(
            f"The vectors of this model are made by {', '.join(kind for kind, _ in listed)}; "
            "known here are Transformer, Pooling and Normalize"
        )
    config = json.loads((path / wanted[0] / "config.json").read_text())
    # Older models have a switch for each way, newer ones a name.
    modes = [
        name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for name, value in config.items()
        if name.startswith("pooling_mode_") and value is True
    ] or [config.get("pooling_mode")]
    if modes not in (["cls"], ["mean"], ["lasttoken"]):
        raise RuntimeError(
            f"The vectors of this model are pooled by {modes}; known here are cls, mean and lasttoken"
        )
    return str(modes[0])
