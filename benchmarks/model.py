"""The model that every side serves, made on the spot: random weights, and a tokenizer of its own."""

import json
import random
import re
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .loop import LENGTHS

VOCABULARY = 1_000
PROMPTS = 32
# Scores of the best two tokens are further apart than sums in another order can move them.
MARGIN = 0.002


def build(models_dir: Path, model_id: str, revision: str, device: str) -> Path:
    """Save the model as if it were `model_id`, freshly downloaded, and beside it what it says.

    Args:
        models_dir: a cache of Hugging Face's hub.
        model_id: owner/name.
        revision: a branch, or a full commit hash.
        device: `cpu` gets 3.6 million parameters in float32, `cuda` 285 million in bfloat16.

    Returns:
        The folder of the model.
    """
    commit = revision if re.fullmatch("[0-9a-f]{40}", revision) else "0" * 40
    home = models_dir / ("models--" + model_id.replace("/", "--"))
    (home / "refs" / revision).parent.mkdir(parents=True)
    (home / "refs" / revision).write_text(commit)
    words = make_words()
    tokenizer, model = make_tokenizer(words), gpt2() if device == "cpu" else llama()
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] = 0  # so that no text ends by itself
    path = home / "snapshots" / commit
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    known = answers(model.to(device), tokenizer, words)
    (models_dir / "answers.json").write_text(json.dumps(known))
    return path


def gpt2() -> Any:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=1_024,
        n_embd=256,
        n_layer=4,
        n_head=8,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        # Untied and wide, or a random model says the same word again and again.
        initializer_range=0.3,
        tie_word_embeddings=False,
    )
    model: Any = transformers.GPT2LMHeadModel(config)
    return model.eval()


def llama() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=1_024,
        intermediate_size=2_816,
        num_hidden_layers=24,
        num_attention_heads=16,
        num_key_value_heads=8,
        max_position_embeddings=8_192,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=0.05,
        tie_word_embeddings=False,
    )
    model: Any = transformers.LlamaForCausalLM(config)
    return model.to(torch.bfloat16).eval()


def make_words() -> list[str]:
    numbers = random.Random(0)
    syllables = [first + second for first in "bdfgklmnprstvw" for second in "aeiou"]
    return ["".join(numbers.choices(syllables, k=numbers.randint(1, 4))) for _ in range(800)]


def make_tokenizer(words: list[str]) -> Any:
    """Tokens are pieces of words, never of characters, so that each text has one spelling."""
    numbers = random.Random(1)
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<end>"], show_progress=False
    )
    bpe.train_from_iterator((" ".join(numbers.choices(words, k=60)) for _ in range(400)), trainer)
    if bpe.get_vocab_size() != VOCABULARY:
        raise RuntimeError(f"The tokenizer has {bpe.get_vocab_size()} tokens")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<end>", pad_token="<end>", padding_side="left"
    )


def answers(model: Any, tokenizer: Any, words: list[str]) -> dict[str, dict[int, str]]:
    """Prompts of 4 to 40 words, and what `generate` says to each alone, for each number of tokens."""
    numbers = random.Random(2)
    known: dict[str, dict[int, str]] = {}
    while len(known) < PROMPTS:
        prompt = " ".join(numbers.choices(words, k=numbers.randint(4, 40)))
        inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
        whole = model.generate(
            **inputs,
            max_new_tokens=max(LENGTHS),
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        best = torch.cat(whole.logits).topk(2).values.float()
        if model.device.type == "cpu" and (best[:, 0] - best[:, 1]).min() < MARGIN:
            continue
        new = whole.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        known[prompt] = {length: tokenizer.decode(new[:length]) for length in sorted({*LENGTHS})}
    return known
