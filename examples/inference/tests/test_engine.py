"""The real engine, on a tiny random model."""

import asyncio
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from myapi.engine import Completion, Job, PromptRefusedError

PROMPTS = ["The sea is", "Ships", "the wind is cold and", "In the night the sea", "é😀", "blue"]


@pytest.fixture(scope="session")
def engine(model_dir: Path) -> Any:
    return start(model_dir)


def start(path: Path, max_prompt_tokens: int = 100) -> Any:
    from myapi.transformers_engine import TransformersEngine

    engine = TransformersEngine(path, device="cpu", max_prompt_tokens=max_prompt_tokens)
    engine.start()
    return engine


def run(engine: Any, prompt: str, max_new_tokens: int = 24, **rest: Any) -> Completion:
    job = Job(prompt=prompt, max_new_tokens=max_new_tokens, **rest)
    done: Completion = asyncio.run(engine.generate(job))
    return done


def likeliest(engine: Any, prompt: str, count: int) -> list[int]:
    """The greedy tokens the slow and plain way: the whole text through the model for each one."""
    import torch

    tokens = engine.tokenizer(prompt)["input_ids"]
    start = len(tokens)
    with torch.inference_mode():
        for _ in range(count):
            tokens = [*tokens, int(engine.model(torch.tensor([tokens])).logits[0, -1].argmax())]
    return list(tokens[start:])


def test_greedy_text_is_the_models_likeliest(engine: Any) -> None:
    for prompt in PROMPTS:
        tokens = likeliest(engine, prompt, 24)
        assert len(set(tokens)) >= 15, "a model that repeats itself would hide mistakes"
        expected = engine.tokenizer.decode(tokens)
        done = run(engine, prompt)
        assert done.text == expected.rstrip("\ufffd")
        assert done == run(engine, prompt), "the same prompt, another text"
        assert (done.finish_reason, done.completion_tokens) == ("length", 24)
        assert done.prompt_tokens == len(engine.tokenizer(prompt)["input_ids"])


def test_sampling_varies_and_keeps_to_top_p(engine: Any) -> None:
    greedy = run(engine, "The sea is").text
    sampled = {run(engine, "The sea is", temperature=1.5).text for _ in range(6)}
    assert len(sampled) > 1
    # The likeliest token alone, and a temperature that is as good as none.
    assert run(engine, "The sea is", temperature=1.5, top_p=1e-9).text == greedy
    assert run(engine, "The sea is", temperature=1e-40).text == greedy


def test_containers_of_one_snapshot_do_not_draw_the_same_numbers(model_dir: Path) -> None:
    import torch

    texts = set()
    for _ in range(3):
        torch.manual_seed(1)  # the state that each of them wakes up with
        texts.add(run(start(model_dir), "The sea is", temperature=1.5).text)
    assert len(texts) > 1


@pytest.mark.parametrize("count", [1, 2, 17])
def test_max_new_tokens(engine: Any, count: int) -> None:
    done = run(engine, "The sea is", count)
    assert done.completion_tokens == count
    assert run(engine, "The sea is").text.startswith(done.text)


def test_it_stops_before_a_stop_string(engine: Any) -> None:
    whole = run(engine, "The sea is").text
    tokens = likeliest(engine, "The sea is", 24)
    first = engine.tokenizer.decode(tokens[:10])
    for width in (1, 3, 6):  # also across the borders of tokens
        stop = whole[len(first) : len(first) + width]
        done = run(engine, "The sea is", stop=("never there", stop))
        assert done.text == whole[: whole.index(stop)]
        assert done.finish_reason == "stop"
        assert done.completion_tokens < 24, "it went on behind the stop string"
    assert run(engine, "The sea is", stop=("never there",)).text == whole
    # In the prompt it does not count.
    assert run(engine, "The sea is", stop=("The sea",)).text == whole


def test_it_stops_at_the_models_end_token(model_dir: Path, engine: Any, tmp_path: Path) -> None:
    tokens = likeliest(engine, "The sea is", 24)
    other = Path(shutil.copytree(model_dir, tmp_path / "model"))
    config = other / "generation_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": [0, tokens[5]]}))
    done = run(start(other), "The sea is")
    assert done.finish_reason == "stop"
    assert done.completion_tokens == tokens.index(tokens[5]) + 1


def test_the_models_own_sampling_defaults_change_nothing(
    model_dir: Path, engine: Any, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(model_dir, tmp_path / "model"))
    config = other / "generation_config.json"
    defaults = {"do_sample": True, "temperature": 5.0, "top_k": 1, "repetition_penalty": 5.0}
    config.write_text(json.dumps(json.loads(config.read_text()) | defaults))
    meddling = start(other)
    assert run(meddling, "The sea is").text == run(engine, "The sea is").text
    assert len({run(meddling, "The sea is", temperature=1.5).text for _ in range(6)}) > 1


def test_no_half_characters(engine: Any) -> None:
    from myapi.transformers_engine import completion_text

    for text in ("é😀 naïve 🏴‍☠️", "日本語"):
        tokens = engine.tokenizer(text)["input_ids"]
        assert len(tokens) > len(text), "this tokenizer does not split characters"
        for count in range(len(tokens) + 1):
            part = completion_text(engine.tokenizer, [5, 6], tokens[:count]).rstrip("\ufffd")
            assert text.startswith(part)
        assert part == text


def test_a_blank_that_decoding_drops_is_kept() -> None:
    transformers = pytest.importorskip("transformers", reason="the model extra is not installed")
    from tokenizers import Tokenizer, decoders, models

    from myapi.transformers_engine import completion_text

    # As Llama's and Gemma's: ▁ is a blank, and the one that a text begins with is dropped.
    plain = Tokenizer(models.WordLevel({"▁the": 0, "▁sea": 1}, unk_token="▁the"))
    plain.decoder = decoders.Metaspace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain)
    assert tokenizer.decode([1]) == "sea"
    assert completion_text(tokenizer, [0], [1, 1]) == " sea sea"


def test_a_prompt_that_does_not_fit_is_refused(model_dir: Path, engine: Any) -> None:
    with pytest.raises(PromptRefusedError, match="at most 100 are allowed"):
        run(engine, "sea " * 200)
    with pytest.raises(PromptRefusedError, match=r"max_new_tokens=255 .* 256 "):
        run(engine, "The sea is", 255)
    with pytest.raises(PromptRefusedError, match="no tokens"):
        run(engine, "")
    # Neither leaves anything behind, and a prompt that just fits is fine.
    count = run(engine, "The sea is", 1).prompt_tokens
    assert run(start(model_dir, max_prompt_tokens=count), "The sea is", 1).completion_tokens == 1
    assert run(engine, "The sea is", 256 - count).completion_tokens == 256 - count


def test_jobs_at_once_get_the_answers_of_jobs_one_by_one(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [
        Job(prompt=prompt, max_new_tokens=count, stop=stop)
        for prompt in PROMPTS
        for count, stop in ((24, ()), (9, ("e",)))
    ]
    one_by_one = [asyncio.run(engine.generate(job)) for job in jobs]

    # One after the other: `generate` makes no promise to threads.
    generate = engine.model.generate
    only_one = threading.Lock()

    def watch(*args: object, **options: object) -> Any:
        assert only_one.acquire(blocking=False), "two at once"
        try:
            return generate(*args, **options)
        finally:
            only_one.release()

    monkeypatch.setattr(engine.model, "generate", watch)

    async def on_one_loop() -> list[Completion]:
        return list(await asyncio.gather(*(engine.generate(job) for job in jobs)))

    assert asyncio.run(on_one_loop()) == one_by_one

    answers: dict[int, Completion] = {}

    def ask(number: int) -> None:
        answers[number] = asyncio.run(engine.generate(jobs[number]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[number] for number in range(len(jobs))] == one_by_one


def test_the_event_loop_goes_on_meanwhile(engine: Any) -> None:
    async def count_turns() -> int:
        job = asyncio.create_task(engine.generate(Job(prompt="The sea is", max_new_tokens=100)))
        turns = 0
        while not job.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert (await job).completion_tokens == 100
        return turns

    assert asyncio.run(count_turns()) > 10


def test_a_cancelled_job_stops_and_lets_the_next_one_in(engine: Any) -> None:
    steps: list[str] = []
    gone = threading.Event()

    async def cancel_two() -> None:
        loop = asyncio.get_running_loop()
        slow = asyncio.create_task(engine.generate(Job(prompt="The sea is", max_new_tokens=240)))
        waiting = asyncio.create_task(engine.generate(Job(prompt="Ships", max_new_tokens=240)))

        def leave_at_the_third(*_: object) -> None:
            steps.append("step")
            if len(steps) == 3:
                loop.call_soon_threadsafe(slow.cancel)
                loop.call_soon_threadsafe(waiting.cancel)
                gone.wait(30)

        hook = engine.model.register_forward_hook(leave_at_the_third)
        try:
            await asyncio.gather(slow, waiting, return_exceptions=True)
            gone.set()
            await engine.generate(Job(prompt="blue", max_new_tokens=1))
        finally:
            hook.remove()
        assert slow.cancelled()
        assert waiting.cancelled()

    asyncio.run(cancel_two())
    assert len(steps) == 4  # three of the first, none of the second, one of the last


def test_an_error_of_one_job_is_not_the_end(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(engine.model, "generate", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(engine, "The sea is")
    assert run(engine, "The sea is").completion_tokens == 24


def test_it_is_ready_only_when_it_was_started(model_dir: Path) -> None:
    from myapi.transformers_engine import TransformersEngine

    engine = TransformersEngine(model_dir, device="cpu", max_prompt_tokens=100)
    assert not engine.ready
    with pytest.raises(RuntimeError, match="start"):
        run(engine, "The sea is")
    engine.start()
    assert engine.ready


def test_loading_for_a_gpu_does_not_touch_it(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from myapi.transformers_engine import TransformersEngine

    def touched(*_: object) -> None:
        raise AssertionError("this would spoil a memory snapshot")

    monkeypatch.setattr(torch.cuda, "is_available", touched)
    monkeypatch.setattr(torch.cuda, "device_count", touched)
    monkeypatch.setattr(torch.cuda, "init", touched)
    engine = TransformersEngine(model_dir, device="cuda", max_prompt_tokens=100)
    assert engine.model.dtype == torch.bfloat16
    assert engine.model.device.type == "cpu"
    with pytest.raises(AssertionError, match="spoil"):
        TransformersEngine(model_dir, device="auto", max_prompt_tokens=100)
