"""From a score to relevance, and a model that has more than one score."""

from pathlib import Path

import pytest


def test_a_score_becomes_relevance(model_dir: Path) -> None:
    import torch

    from myapi.head import Head

    head = Head(model_dir)
    head.model.eval()
    batch = {
        "input_ids": torch.tensor([[2, 5, 3, 6, 3], [2, 5, 3, 0, 0]]),
        "token_type_ids": torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }
    with torch.inference_mode():
        found = head(batch)
        scores = head.model(**batch).logits
    assert found.shape == (2, 1)
    assert found.flatten().tolist() == pytest.approx((1 / (1 + (-scores).exp())).flatten().tolist())


def test_a_model_with_labels_is_no_guess(model_dir: Path, tmp_path: Path) -> None:
    import transformers

    from myapi.head import Head

    config = transformers.AutoConfig.from_pretrained(model_dir, num_labels=3)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match=r"3 scores.*task=classify"):
        Head(tmp_path)


def test_a_model_that_was_trained_for_something_else_is_no_guess(
    model_dir: Path, tmp_path: Path
) -> None:
    import transformers

    from myapi.head import Head

    config = transformers.AutoConfig.from_pretrained(model_dir)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match=r"it has no .*classifier"):
        Head(tmp_path)
