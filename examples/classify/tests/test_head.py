"""From scores to probabilities: of one label, of several, and of a model that has none."""

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def model(model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_dir, tmp_path / "model"))


def declare(path: Path, **values: object) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | values))


@pytest.mark.parametrize("kind", ["single_label_classification", "multi_label_classification"])
def test_scores_become_probabilities_as_the_model_says(model: Path, kind: str) -> None:
    import torch

    from myapi.head import Head

    declare(model, problem_type=kind)
    head = Head(model)
    head.model.eval()
    assert head.labels == ("bad", "so-so", "good")
    batch = {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3], [2, 5, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }
    with torch.inference_mode():
        found = head(batch)
        scores = head.model(**batch).logits
    is_multiple = kind.startswith("multi")
    each, total = scores.exp(), scores.exp().sum(1)[:, None]
    expected = each / (1 + each) if is_multiple else each / total
    assert found.flatten().tolist() == pytest.approx(expected.flatten().tolist(), abs=1e-5)


def test_a_model_without_labels_is_no_guess(model: Path) -> None:
    import transformers

    from myapi.head import Head

    config = transformers.AutoConfig.from_pretrained(model, num_labels=1)
    transformers.BertForSequenceClassification(config).save_pretrained(model)
    with pytest.raises(RuntimeError, match="task=rerank"):
        Head(model)


def test_a_model_that_was_trained_for_something_else_is_no_guess(
    model_dir: Path, tmp_path: Path
) -> None:
    import transformers

    from myapi.head import Head

    config = transformers.AutoConfig.from_pretrained(model_dir)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match=r"it has no .*classifier"):
        Head(tmp_path)
