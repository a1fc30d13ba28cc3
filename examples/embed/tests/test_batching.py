"""Which texts are read together, and who gets what. Without a model: here the value of a text is its length."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from myapi.batching import Batcher, choose
from myapi.engine import BusyError, EngineFailedError


class Model:
    """Notes each pass; waits with it while it is held, and fails where a text is `broken`."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.passes.append(list(texts))
        self.go.wait(10)
        if "broken" in texts:
            raise ValueError("of a secret text")
        return [[float(len(text))] for text in texts]


@pytest.fixture
def model() -> Model:
    return Model()


@contextlib.contextmanager
def batcher_of(model: Model, batch_tokens: int = 1_000, queue: int = 100) -> Iterator[Batcher[str]]:
    batcher = Batcher[str](model, batch_tokens=batch_tokens, overhead=64, queue=queue)
    batcher.start()
    try:
        yield batcher
    finally:
        model.go.set()
        batcher.close(5)


async def read(batcher: Batcher[str], *texts: str) -> list[list[float]]:
    return await batcher.read(texts, [len(text) for text in texts])


async def until_held(model: Model) -> None:
    """A first text is in the model, and what comes now waits."""
    await until(lambda: bool(model.passes))


async def until(condition: Callable[[], bool]) -> None:
    def wait() -> None:
        end = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.001)

    await asyncio.to_thread(wait)


def test_values_come_in_the_order_of_the_texts(model: Model) -> None:
    with batcher_of(model) as batcher:
        values = asyncio.run(read(batcher, "aaaa", "b", "cc", "ddd", "e" * 400))
    assert values == [[4], [1], [2], [3], [400]]


def test_what_comes_meanwhile_is_read_together(model: Model) -> None:
    async def many(batcher: Batcher[str]) -> list[list[list[float]]]:
        model.go.clear()
        first = asyncio.create_task(read(batcher, "first"))
        await until_held(model)
        others = [asyncio.create_task(read(batcher, "x" * size)) for size in range(10, 26)]
        await asyncio.sleep(0.01)
        model.go.set()
        return await asyncio.gather(first, *others)

    with batcher_of(model) as batcher:
        values = asyncio.run(many(batcher))
    assert values == [[[5]], *([[size]] for size in range(10, 26))]
    assert [len(texts) for texts in model.passes] == [1, 16]


def test_a_pass_has_no_more_tokens_than_it_may(model: Model) -> None:
    texts = ["x" * size for size in (*range(1, 60), 300)]
    with batcher_of(model, batch_tokens=200) as batcher:
        asyncio.run(read(batcher, *texts))
    assert sorted(text for texts in model.passes for text in texts) == sorted(texts)
    for each in model.passes:
        assert len(each) == 1 or len(each) * max(map(len, each)) <= 200
    assert len(model.passes) < 20


def test_many_texts_of_one_do_not_hold_up_another(model: Model) -> None:
    async def both(batcher: Batcher[str]) -> None:
        model.go.clear()
        many = asyncio.create_task(read(batcher, *["x" * 100] * 20))
        await until_held(model)
        one = asyncio.create_task(read(batcher, "y" * 100))
        await asyncio.sleep(0.01)
        model.go.set()
        await asyncio.gather(one, many)

    with batcher_of(model, batch_tokens=100) as batcher:
        asyncio.run(both(batcher))
    assert len(model.passes) == 21
    assert model.passes.index(["y" * 100]) <= 3


def test_who_leaves_is_left_out(model: Model) -> None:
    async def leave(batcher: Batcher[str]) -> None:
        model.go.clear()
        first = asyncio.create_task(read(batcher, "first"))
        await until_held(model)
        gone = asyncio.create_task(read(batcher, "gone"))
        kept = asyncio.create_task(read(batcher, "kept"))
        await asyncio.sleep(0.01)
        gone.cancel()
        model.go.set()
        assert await first == [[5]]
        assert await kept == [[4]]

    with batcher_of(model) as batcher:
        asyncio.run(leave(batcher))
    assert model.passes == [["first"], ["kept"]]


def test_an_error_ends_what_was_in_that_pass_and_tells_nobody_of_the_others(model: Model) -> None:
    async def fail(batcher: Batcher[str]) -> None:
        with pytest.raises(EngineFailedError, match=r"^The model failed: ValueError$"):
            await read(batcher, "broken", "x" * 500)
        assert await read(batcher, "well") == [[4]]

    with batcher_of(model) as batcher:
        asyncio.run(fail(batcher))
        assert batcher.ready


def test_a_model_that_goes_on_failing_ends_the_process(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    async def fail(batcher: Batcher[str]) -> None:
        for _ in range(3):
            with pytest.raises(EngineFailedError):
                await read(batcher, "broken")

    with batcher_of(model) as batcher:
        asyncio.run(fail(batcher))
        asyncio.run(until(lambda: bool(codes)))
    assert codes == [1]


def test_a_full_line_is_said(model: Model) -> None:
    async def fill(batcher: Batcher[str]) -> None:
        model.go.clear()
        first = asyncio.create_task(read(batcher, *["many"] * 12))  # one may always come
        await until_held(model)
        with pytest.raises(BusyError, match="waiting"):
            await read(batcher, "one more")
        model.go.set()
        await first
        assert await read(batcher, "now") == [[3]]

    with batcher_of(model, queue=10) as batcher:
        asyncio.run(fill(batcher))


def test_a_stop_finishes_what_there_is_and_takes_no_more(model: Model) -> None:
    async def stop(batcher: Batcher[str]) -> None:
        model.go.clear()
        first = asyncio.create_task(read(batcher, "first"))
        await until_held(model)
        second = asyncio.create_task(read(batcher, "second"))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close, 5))
        await until(lambda: not batcher.ready)
        with pytest.raises(BusyError, match="draining"):
            await read(batcher, "third")
        model.go.set()
        await closing
        assert [await first, await second] == [[[5]], [[6]]]

    with batcher_of(model) as batcher:
        asyncio.run(stop(batcher))


def test_a_stop_gives_up_after_its_time(model: Model) -> None:
    async def stop(batcher: Batcher[str]) -> None:
        model.go.clear()
        first = asyncio.create_task(read(batcher, "first"))
        await until_held(model)
        second = asyncio.create_task(read(batcher, "second"))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close, 0))
        await until(lambda: not batcher.ready)
        model.go.set()
        await closing
        assert await first == [[5]]
        with pytest.raises(BusyError, match="shutting down"):
            await second

    with batcher_of(model) as batcher:
        asyncio.run(stop(batcher))


@pytest.mark.parametrize(
    ("lengths", "most", "chosen"),
    [
        ([7], 5, [0]),  # what is too long goes alone
        ([10, 10, 10], 20, [0, 1]),
        ([10, 500, 11, 9], 10_000, [3, 0, 2]),  # 500 would pad the others by a thousand
        ([500, 10, 400], 10_000, [2, 0]),
        ([1, 30, 2], 10_000, [0, 2, 1]),  # few tokens: a pass of its own costs more
        ([50, 10, 90, 40], 100, [3, 0]),
    ],
)
def test_texts_of_about_one_length_go_together(
    lengths: list[int], most: int, chosen: list[int]
) -> None:
    assert choose(lengths, most, 64) == chosen
