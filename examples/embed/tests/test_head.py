"""From tokens to a vector: each way of pooling, and the ways that are not known."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def declare(path: Path, pooling: dict[str, Any], *kinds: str) -> None:
    """Write what sentence-transformers would beside the model."""
    modules = [
        {"idx": index, "name": str(index), "path": f"{index}_{kind}", "type": f"st.models.{kind}"}
        for index, kind in enumerate(kinds)
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


@pytest.fixture
def model(model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_dir, tmp_path / "model"))


def old(mode: str) -> dict[str, Any]:
    """A switch for each way, as most models on the hub have it."""
    names = ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
    return {"word_embedding_dimension": 64} | {
        f"pooling_mode_{name}": name == mode for name in names
    }


@pytest.mark.parametrize(
    ("pooling", "mode"),
    [
        (old("cls_token"), "cls"),
        (old("mean_tokens"), "mean"),
        (old("lasttoken"), "lasttoken"),
        ({"pooling_mode": "cls"}, "cls"),
        (None, "mean"),
    ],
)
def test_tokens_become_one_vector_as_the_model_says(
    model: Path, pooling: dict[str, Any] | None, mode: str
) -> None:
    import torch

    from myapi.head import Head

    if pooling:
        declare(model, pooling, "Transformer", "Pooling", "Normalize")
    head = Head(model)
    head.model.eval()
    batch = {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3], [2, 5, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }
    with torch.inference_mode():
        found = head(batch)
        for row, length in ((0, 5), (1, 3)):
            states = head.model(batch["input_ids"][row : row + 1, :length]).last_hidden_state[0]
            wanted = {"cls": states[0], "lasttoken": states[-1], "mean": states.mean(0)}[mode]
            expected = (wanted / wanted.norm()).tolist()
            assert found[row].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("pooling", "kinds"),
    [
        (old("max_tokens"), ("Transformer", "Pooling")),
        ({**old("cls_token"), "pooling_mode_mean_tokens": True}, ("Transformer", "Pooling")),
        (old("cls_token"), ("Transformer", "Pooling", "Dense")),
        (old("cls_token"), ("Transformer",)),
        ({}, ("Transformer", "Pooling")),
    ],
)
def test_what_is_not_known_is_no_guess(
    model: Path, pooling: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    from myapi.head import Head

    declare(model, pooling, *kinds)
    with pytest.raises(RuntimeError, match="known here are"):
        Head(model)


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("pooler.", ""),
        ("encoder.layer.1.output.dense.", "has no encoder.layer.1.output.dense.bias"),
    ],
)
def test_weights_that_are_missing_are_no_guess(model: Path, missing: str, problem: str) -> None:
    from safetensors.torch import load_file, save_file

    from myapi.head import Head

    weights = load_file(model / "model.safetensors")
    left = {name: each for name, each in weights.items() if not name.startswith(missing)}
    assert len(left) < len(weights)
    save_file(left, model / "model.safetensors", {"format": "pt"})
    if problem:
        with pytest.raises(RuntimeError, match=problem):
            Head(model)
    else:
        assert Head(model).pooling == "mean"
