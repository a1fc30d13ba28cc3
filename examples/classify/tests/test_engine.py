"""The real engine, on a tiny random model."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from myapi.engine import (
    BusyError,
    EngineFailedError,
    Reading,
    RefusedError,
    Text,
)

WORDS = ["the", "sea", "is", "wide", "and", "blue", "ships", "cross", "night", "wind", "cold"]


def texts(count: int, seed: int = 1) -> list[Text]:
    """Of 1 to 80 words."""
    draw = random.Random(seed)  # noqa: S311 (tests, not secrets)
    return [words(draw) for _ in range(count)]


def words(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.choice([1, 2, 3, 5, 8, 13, 40, 80])))


@pytest.fixture(scope="module")
def engine(model_dir: Path) -> Iterator[Any]:
    """In float32, where what comes out depends on nothing but the text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRECISION", "float32")
        engine = start(model_dir)
    yield engine
    asyncio.run(engine.close())


def start(path: Path, max_text_tokens: int = 1_000) -> Any:
    from myapi.transformers_engine import TransformersEngine

    engine = TransformersEngine(path, device="cpu", max_text_tokens=max_text_tokens)
    engine.start()
    return engine


def read(engine: Any, *texts: Text) -> list[Reading]:
    readings: list[Reading] = asyncio.run(engine.read(texts))
    return readings


def values(readings: Sequence[Reading]) -> list[Any]:
    return [pytest.approx(reading.values, abs=1e-5) for reading in readings]


def test_a_text_has_the_same_values_in_any_company(engine: Any) -> None:
    given = texts(60)
    alone = [read(engine, text)[0] for text in given]
    assert [reading.values for reading in read(engine, *given)] == values(alone)
    assert len({tuple(reading.values) for reading in alone}) > 40, "the model makes no difference"


def test_many_at_once_get_what_each_gets_alone(engine: Any) -> None:
    given = texts(60, seed=2)

    async def ask_all() -> list[list[Reading]]:
        return await asyncio.gather(*(engine.read([text]) for text in given))

    passes: list[int] = []
    hook = engine.model.register_forward_pre_hook(lambda *_: passes.append(1))
    together = [reading for (reading,) in asyncio.run(ask_all())]
    hook.remove()
    assert [reading.values for reading in together] == values(read(engine, *given))
    assert len(passes) <= 12, "they are not read together"


def test_bfloat16_says_nearly_the_same(
    engine: Any, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("PRECISION", "bfloat16")
    other = start(model_dir)
    assert (engine.model.dtype, other.model.dtype) == (torch.float32, torch.bfloat16)
    given = texts(40, seed=3)
    exact, near = ([reading.values for reading in read(each, *given)] for each in (engine, other))
    difference = (torch.tensor(exact) - torch.tensor(near)).abs()
    assert 0 < difference.max() < 0.05
    asyncio.run(other.close())


def test_tokens_are_counted(engine: Any, model_dir: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model_dir)
    given = texts(10)
    expected = [
        len(tokenizer(*([text] if isinstance(text, str) else text))["input_ids"]) for text in given
    ]
    assert [reading.tokens for reading in read(engine, *given)] == expected


def test_a_long_text_is_read_beside_the_loop(engine: Any) -> None:
    long = " ".join(["sea"] * 240)
    assert len(long) * 3 > 2_000
    several = read(engine, *[long] * 3)
    assert [reading.values for reading in several] == values(read(engine, long) * 3)


def test_what_the_model_cannot_read_is_refused(engine: Any, model_dir: Path) -> None:
    # 250 is what the tokenizer says; the model itself has room for 256.
    with pytest.raises(RefusedError, match=r"^The text has 302 tokens; at most 250 are"):
        read(engine, "sea " * 300)
    with pytest.raises(RefusedError, match=r"^Text 2 of 2 has 302 tokens"):
        read(engine, "sea", "sea " * 300)
    short = start(model_dir, max_text_tokens=10)
    with pytest.raises(RefusedError, match="at most 10 are allowed"):
        read(short, "sea " * 20)
    asyncio.run(short.close())


def test_an_error_of_the_model_is_said_and_passes(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = engine.head

    def fail(_: object) -> None:
        raise RuntimeError("a secret of the GPU")

    monkeypatch.setattr(engine, "head", fail)
    with pytest.raises(EngineFailedError, match=r"^The model failed: RuntimeError$"):
        read(engine, "sea")
    monkeypatch.setattr(engine, "head", whole)
    assert read(engine, "sea")


def test_a_model_that_reads_padding_does_not_start(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from myapi import head

    read_all = head.Head.__call__

    def blind(self: Any, batch: dict[str, Any]) -> Any:
        return read_all(self, {**batch, "attention_mask": batch["attention_mask"] * 0 + 1})

    monkeypatch.setattr(head.Head, "__call__", blind)
    with pytest.raises(RuntimeError, match=r"^Bert[A-Za-z]* reads padding"):
        start(model_dir)


def test_a_stopped_engine_takes_nothing(model_dir: Path) -> None:
    engine = start(model_dir)
    assert (engine.ready, engine.status) == (True, "ready")
    asyncio.run(engine.close())
    assert (engine.ready, engine.status) == (False, "draining")
    with pytest.raises(BusyError, match="draining"):
        read(engine, "sea")
