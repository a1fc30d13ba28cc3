"""The real engine, on a tiny random model."""

import asyncio
import functools
import json
import logging
import random
import shutil
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from myapi.engine import (
    BusyError,
    Completion,
    EngineFailedError,
    Job,
    Message,
    PromptRefusedError,
    cut,
)

PROMPTS = ["The sea is", "Ships", "the wind is cold and", "In the night the sea", "é😀", "blue"]


@pytest.fixture(scope="module")
def engine(model_dir: Path) -> Any:
    engine = start(model_dir)
    yield engine
    asyncio.run(engine.close())


def start(path: Path, max_prompt_tokens: int = 100) -> Any:
    from myapi.transformers_engine import TransformersEngine

    engine = TransformersEngine(path, device="cpu", max_prompt_tokens=max_prompt_tokens)
    engine.start()
    return engine


def run(engine: Any, prompt: str, max_new_tokens: int | None = 24, **rest: Any) -> Completion:
    job = Job(prompt=prompt, max_new_tokens=max_new_tokens, **rest)
    done: Completion = asyncio.run(engine.generate(job))
    return done


async def collect(engine: Any, job: Job) -> tuple[list[str], Completion]:
    *pieces, completion = [item async for item in engine.stream(job)]
    return pieces, completion


@functools.cache
def plain(path: Path) -> Any:
    """The model without the engine."""
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(path)


def likeliest(path: Path, prompts: list[str], count: int) -> list[list[int]]:
    """The greedy tokens of transformers' own `generate` after each of these prompts."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(path, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    batch = tokenizer(prompts, padding=True, return_tensors="pt")
    made = plain(path).generate(**batch, do_sample=False, max_new_tokens=count)
    tokens: list[list[int]] = made[:, batch["input_ids"].shape[1] :].tolist()
    return tokens


def expect(engine: Any, job: Job, greedy: list[int]) -> Completion:
    """What the engine must say without chance, where these are the likeliest tokens."""
    tokens = greedy[: job.max_new_tokens]
    for count in range(1, len(tokens) + 1):
        whole = engine.tokenizer.decode(tokens[:count]).rstrip("\ufffd")
        text, stopped = cut(whole, job.stop)
        if stopped:
            break
    return Completion(
        text=text,
        finish_reason="stop" if stopped else "length",
        prompt_tokens=len(engine.tokenizer(job.prompt)["input_ids"]),
        completion_tokens=count,
    )


def count_steps(engine: Any, steps: list[int]) -> Any:
    """Note the tokens of each pass of the model."""
    return engine.model.register_forward_pre_hook(
        lambda _module, arguments: steps.append(arguments[0].shape[1])
    )


def test_greedy_text_is_the_models_likeliest(engine: Any, model_dir: Path) -> None:
    for prompt, tokens in zip(PROMPTS, likeliest(model_dir, PROMPTS, 24), strict=True):
        assert len(set(tokens)) >= 15, "a model that repeats itself would hide mistakes"
        job = Job(prompt=prompt, max_new_tokens=24)
        expected = expect(engine, job, tokens)
        assert (expected.finish_reason, expected.completion_tokens) == ("length", 24)
        assert asyncio.run(engine.generate(job)) == expected
        pieces, streamed = asyncio.run(collect(engine, job))
        assert streamed == expected, "the same prompt, another text"
        assert "".join(pieces) == expected.text


def test_a_model_without_all_its_weights_is_no_guess(model_dir: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = shutil.copytree(model_dir, tmp_path / "model")
    tensors = load_file(path / "model.safetensors")
    name = next(name for name in sorted(tensors) if "layers.1" in name)
    del tensors[name]
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RuntimeError, match=f"it has no {name}"):
        start(path)


def test_a_stream_that_waits_says_that_it_is_alive(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from myapi import transformers_engine

    engine = start(model_dir)
    hook = engine.model.register_forward_pre_hook(lambda *_: time.sleep(0.1))
    monkeypatch.setattr(transformers_engine, "PING_SECONDS", 0.02)
    pieces, done = asyncio.run(collect(engine, Job(prompt="The sea is", max_new_tokens=3)))
    hook.remove()
    assert pieces[0] == ""
    assert "".join(pieces) == done.text


def test_matrices_are_multiplied_the_fast_way_and_the_same(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small ones are kept in two layouts, large ones in the fast one alone."""
    import torch

    from myapi import packing

    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("this processor has no AVX")
    expected = likeliest(model_dir, PROMPTS, 24)
    for size in (0, packing.SMALL_BYTES):
        monkeypatch.setattr(packing, "SMALL_BYTES", size)
        engine = start(model_dir)
        layers = [each for each in engine.model.modules() if "forward" in vars(each)]
        assert len(layers) == 2 * 7 + 1
        assert {layer.weight.is_mkldnn for layer in layers} == {size == 0}
        for prompt, tokens in zip(PROMPTS, expected, strict=True):
            job = Job(prompt=prompt, max_new_tokens=24)
            assert asyncio.run(engine.generate(job)) == expect(engine, job, tokens)


def test_a_stream_comes_in_pieces_at_intervals(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(prompt="The sea is", max_new_tokens=100)
    counts = []
    for interval in ("0", "0.02", "60"):
        monkeypatch.setenv("STREAM_INTERVAL", interval)
        pieces, done = asyncio.run(collect(start(model_dir), job))
        assert "".join(pieces) == done.text
        counts.append(len(pieces))
    assert counts[0] > 50 > counts[1] > counts[2] == 2, "the first at once, then when it is time"


@pytest.mark.parametrize("family", ["GPT2", "Mistral"])
def test_other_families_of_models(
    family: str, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned positions and one head of keys for each of queries; and a window that slides."""
    import torch
    import transformers

    shapes = {
        "GPT2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128},
        "Mistral": {
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 128,
            "sliding_window": 8,
        },
    }
    common = {"vocab_size": 320, "initializer_range": 0.3, "tie_word_embeddings": False}
    config = getattr(transformers, f"{family}Config")(
        **shapes[family], **common, eos_token_id=0, bos_token_id=0
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        model.lm_head.weight[0] = 0
        for name, values in model.named_parameters():
            if name.endswith("bias"):  # or they are all zero, and nobody would miss them
                values.normal_(std=0.1)
    model.save_pretrained(tmp_path)
    for file in model_dir.glob("tokenizer*"):
        shutil.copy(file, tmp_path)
    monkeypatch.setenv("PREFILL_CHUNK", "6")
    engine = start(tmp_path)
    jobs = [Job(prompt=prompt * times, max_new_tokens=24) for prompt in PROMPTS for times in (1, 3)]

    async def at_once() -> list[Completion]:
        return list(await asyncio.gather(*map(engine.generate, jobs)))

    expected = likeliest(tmp_path, [job.prompt for job in jobs], 24)
    for job, tokens, done in zip(jobs, expected, asyncio.run(at_once()), strict=True):
        assert len(set(tokens)) >= 10
        assert done == expect(engine, job, tokens)


def test_many_at_random_get_what_each_gets_alone(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mixed lengths, arrivals and leavers; small parts of prompts, few slots."""
    monkeypatch.setenv("MAX_BATCH", "7")
    monkeypatch.setenv("MAX_QUEUE", "1000")
    monkeypatch.setenv("PREFILL_CHUNK", "11")
    engine, numbers = start(model_dir), random.Random(3)  # noqa: S311 (made-up input)
    words = ["The", "sea", "is", "wide", "and", "Ships", "cross", "é😀", "in", "the", "night"]
    jobs = [
        Job(
            prompt=" ".join(numbers.choices(words, k=numbers.randint(1, 12))),
            max_new_tokens=numbers.choice([1, 2, 8, 16, 24, 60]),
            temperature=numbers.choice([0, 0, 0, 0.8]),
            seed=number,
            stop=numbers.choice([(), (), ("e",), ("xyz", " a")]),
        )
        for number in range(330)
    ]
    assert len({job.prompt for job in jobs}) >= 250
    # Of what is said without chance, transformers' own `generate` is the witness.
    certain = [number for number, job in enumerate(jobs) if not job.temperature]
    assert len(certain) >= 220
    tokens = likeliest(model_dir, [jobs[number].prompt for number in certain], 60)
    expected = {
        number: expect(engine, jobs[number], made)
        for number, made in zip(certain, tokens, strict=True)
    }
    expected |= {
        number: asyncio.run(engine.generate(job))
        for number, job in enumerate(jobs)
        if job.temperature
    }
    leavers = set(numbers.sample(range(len(jobs)), 40))

    async def ask(number: int) -> Completion | None:
        await asyncio.sleep(numbers.random() * 0.5)
        if number in leavers:
            task = asyncio.create_task(engine.generate(jobs[number]))
            await asyncio.sleep(numbers.random() * 0.05)
            task.cancel()
            return None
        if number % 2:
            pieces, done = await collect(engine, jobs[number])
            assert "".join(pieces) == done.text
            return done
        return await engine.generate(jobs[number])

    async def all_() -> list[Completion | None]:
        return list(await asyncio.gather(*map(ask, range(len(jobs)))))

    answers = asyncio.run(all_())
    same = [answer == expected[number] for number, answer in enumerate(answers) if answer]
    assert len(same) >= 280
    assert all(same)


def test_recorded_steps_say_the_same(
    engine: Any, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU they are played. Here each size runs anew, and what fills it up must not matter either."""
    import torch

    from myapi import graphs

    def record(_: Any, run: Callable[[], Any]) -> Callable[[], Any]:
        run()  # as before a recording
        return run

    monkeypatch.setattr(graphs.Graphs, "_record", record)
    monkeypatch.setattr(graphs, "SHORTEST", 16)
    for name, value in (("MAX_BATCH", "7"), ("MAX_QUEUE", "1000"), ("PREFILL_CHUNK", "11")):
        monkeypatch.setenv(name, value)
    recorded, numbers = start(model_dir), random.Random(5)  # noqa: S311 (made-up input)
    batcher, steps = recorded.batcher, list[tuple[int, bool]]()
    with torch.inference_mode():
        recorded._graphs = graphs.prepare(recorded._score, batcher._slots, batcher._device)
    batcher.apart, forward = 4, batcher._forward

    def note(tokens: list[int], step: Any, wanted: list[int]) -> Any:
        steps.append((step.rows, bool(step.parts)))
        return forward(tokens, step, wanted)

    monkeypatch.setattr(batcher, "_forward", note)
    jobs = [
        Job(prompt=prompt * numbers.randint(1, 6), max_new_tokens=numbers.choice([1, 5, 20, 50]))
        for prompt in PROMPTS * 10
    ]

    async def ask(job: Job) -> Completion:
        await asyncio.sleep(numbers.random() * 0.3)
        done: Completion = await recorded.generate(job)
        return done

    async def all_() -> list[Completion]:
        return list(await asyncio.gather(*map(ask, jobs)))

    assert asyncio.run(all_()) == [asyncio.run(engine.generate(job)) for job in jobs]
    sizes = set(recorded._graphs._recordings)
    assert {rows for rows, _ in sizes} == {1, 2, 4, 7}
    assert {length for _, length in sizes} >= {16, 32, 64}
    # Where others are being answered, prompts go in together, every fifth step.
    mixed = [number for number, (rows, parts) in enumerate(steps) if rows and parts]
    assert len(mixed) >= 10
    for number in mixed:
        assert not any(parts for _, parts in steps[max(0, number - 4) : number])


def test_what_cannot_be_recorded_is_not(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from myapi import graphs

    def fail(*_: Any) -> None:
        raise RuntimeError("not while a stream is recorded")

    monkeypatch.setattr(graphs.Graphs, "_record", fail)
    batcher = engine.batcher
    with torch.inference_mode():
        assert graphs.prepare(engine._score, batcher._slots, batcher._device) is None


def test_sampling_varies_and_keeps_to_top_p(engine: Any) -> None:
    greedy = run(engine, "The sea is").text
    sampled = {run(engine, "The sea is", temperature=1.5).text for _ in range(6)}
    assert len(sampled) > 1
    # The likeliest token alone, and a temperature that is as good as none.
    assert run(engine, "The sea is", temperature=1.5, top_p=1e-9).text == greedy
    assert run(engine, "The sea is", temperature=1e-40).text == greedy


@pytest.mark.usefixtures("model_dir")  # which asks for torch
def test_tokens_come_as_often_as_they_are_likely() -> None:
    import torch

    from myapi.sampling import Sampling, choose

    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    for top_p, temperature, expected in (
        (1.0, 1.0, [0.5, 0, 0.3, 0.2]),
        (0.8, 1.0, [0.625, 0, 0.375, 0]),
        (0.5, 1.0, [1, 0, 0, 0]),
        (1.0, 0.5, [0.658, 0, 0.237, 0.105]),
    ):
        rows = [Sampling(temperature, top_p, random.Random(n)) for n in range(20_000)]  # noqa: S311 (made-up input)
        tokens = choose(probabilities.log().expand(len(rows), -1), rows)
        shares = [tokens.count(token) / len(rows) for token in range(4)]
        assert shares == pytest.approx(expected, abs=0.015)


def test_a_seed_decides_alone_and_among_others(engine: Any) -> None:
    def ask(seed: int | None) -> Job:
        return Job(prompt="The sea is", max_new_tokens=24, temperature=1.2, top_p=0.9, seed=seed)

    async def among_others() -> list[Completion]:
        return list(await asyncio.gather(*(engine.generate(ask(seed)) for seed in range(9))))

    alone = [asyncio.run(engine.generate(ask(seed))) for seed in range(9)]
    assert asyncio.run(among_others()) == alone
    assert len({done.text for done in alone}) > 5


def test_containers_of_one_snapshot_do_not_draw_the_same_numbers(model_dir: Path) -> None:
    import torch

    texts = set()
    for _ in range(3):
        torch.manual_seed(1)  # the state that each of them wakes up with
        random.seed(1)
        texts.add(run(start(model_dir), "The sea is", temperature=1.5).text)
    assert len(texts) > 1


@pytest.mark.parametrize("count", [1, 2, 17])
def test_max_new_tokens(engine: Any, count: int) -> None:
    done = run(engine, "The sea is", count)
    assert done.completion_tokens == count
    assert run(engine, "The sea is").text.startswith(done.text)


def test_without_a_number_it_goes_to_the_limit(engine: Any) -> None:
    done = run(engine, "The sea is", None)
    assert done.prompt_tokens + done.completion_tokens == 256


def test_it_stops_before_a_stop_string(engine: Any, model_dir: Path) -> None:
    whole = run(engine, "The sea is").text
    first = engine.tokenizer.decode(likeliest(model_dir, ["The sea is"], 10)[0])
    for width in (1, 3, 6):  # also across the borders of tokens
        stop = whole[len(first) : len(first) + width]
        steps: list[int] = []
        hook = count_steps(engine, steps)
        done = run(engine, "The sea is", stop=("never there", stop))
        hook.remove()
        assert done.text == whole[: whole.index(stop)]
        assert done.finish_reason == "stop"
        assert done.completion_tokens == len(steps) < 24, "it went on behind the stop string"
    assert run(engine, "The sea is", stop=("never there",)).text == whole
    # In the prompt it does not count.
    assert run(engine, "The sea is", stop=("The sea",)).text == whole


def test_it_stops_at_the_models_end_token(model_dir: Path, engine: Any, tmp_path: Path) -> None:
    [tokens] = likeliest(model_dir, ["The sea is"], 24)
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


def test_a_prompt_that_does_not_fit_is_refused(model_dir: Path, engine: Any) -> None:
    with pytest.raises(PromptRefusedError, match="at most 100 are allowed"):
        run(engine, "sea " * 200)
    with pytest.raises(PromptRefusedError, match=r"max_new_tokens=255 .* 256 "):
        run(engine, "The sea is", 255)
    with pytest.raises(PromptRefusedError, match="at most 1024 are allowed"):
        run(engine, "The sea is", 1025)
    with pytest.raises(PromptRefusedError, match="no tokens"):
        run(engine, "")
    # None leaves anything behind, and a prompt that just fits is fine.
    count = run(engine, "The sea is", 1).prompt_tokens
    assert run(start(model_dir, max_prompt_tokens=count), "The sea is", 1).completion_tokens == 1
    assert run(engine, "The sea is", 256 - count).completion_tokens == 256 - count


def test_a_conversation_becomes_the_models_prompt(engine: Any) -> None:
    messages = [Message("system", "Be brief"), Message("user", "é?")]
    assert engine.chat(messages) == "system: Be brief\nuser: é?\nanswer:"
    with pytest.raises(PromptRefusedError, match="Who asks"):
        engine.chat([Message("assistant", "Hello")])


def test_without_a_template_there_is_no_conversation(model_dir: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(model_dir, tmp_path / "model"))
    (other / "chat_template.jinja").unlink()
    with pytest.raises(PromptRefusedError, match="no chat template"):
        start(other).chat([Message("user", "Hello")])


def test_the_event_loop_goes_on_while_a_long_prompt_becomes_tokens(engine: Any) -> None:
    async def count_turns() -> int:
        job = asyncio.create_task(engine.generate(Job(prompt="sea " * 100_000, max_new_tokens=1)))
        turns = 0
        while not job.done():
            await asyncio.sleep(0.001)
            turns += 1
        with pytest.raises(PromptRefusedError, match="at most 100 are allowed"):
            await job
        return turns

    assert asyncio.run(count_turns()) > 5


@pytest.mark.usefixtures("model_dir")
def test_scores_that_are_no_numbers_choose_a_token_that_there_is() -> None:
    import torch

    from myapi.sampling import Sampling, choose

    rows = [Sampling(temperature, 0.9, random.Random(1)) for temperature in (0.0, 1.0)]  # noqa: S311 (made-up input)
    for score in (float("nan"), float("inf"), float("-inf")):
        assert set(choose(torch.full((2, 8), score), rows)) <= set(range(8))


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


def test_the_log_says_where_the_time_of_an_answer_went(
    engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    done = run(engine, "The sea is", 30)
    (line,) = [vars(each) for each in caplog.records if each.message == "generated"]
    assert (line["prompt_tokens"], line["completion_tokens"]) == (done.prompt_tokens, 30)
    assert 0 <= line["queued_ms"] <= line["first_token_ms"]
    assert line["tokens_per_second"] > 0
    assert line["batch"] == 1
    assert "sea" not in caplog.text


def test_who_leaves_is_gone_at_the_next_step(engine: Any) -> None:
    steps: list[int] = []

    def wait_until_all_run(staying: asyncio.Task[Any]) -> None:
        while 3 not in steps and not staying.done():
            time.sleep(0.001)

    async def leave() -> None:
        long = Job(prompt="The sea is", max_new_tokens=200)
        staying = asyncio.create_task(engine.generate(Job(prompt="Ships", max_new_tokens=200)))
        leaving = asyncio.create_task(engine.generate(long))
        stream = engine.stream(long)
        await anext(stream)
        await asyncio.to_thread(wait_until_all_run, staying)
        assert 3 in steps, "they never ran beside each other"
        leaving.cancel()
        await asyncio.wait([leaving])
        await stream.aclose()
        before = len(steps)
        await staying
        assert set(steps[before + 2 :]) == {1}, "someone is still there"

    hook = count_steps(engine, steps)
    try:
        asyncio.run(leave())
    finally:
        hook.remove()


def at_once(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    async def gather() -> list[Any]:
        async with asyncio.timeout(20):  # who is forgotten would wait for ever
            return list(await asyncio.gather(*work, return_exceptions=True))

    return asyncio.run(gather())


def test_a_bad_neighbour_harms_nobody(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BATCH", "40")
    engine = start(model_dir)
    jobs = [
        Job(prompt=PROMPTS[number % 6] + " and" * number, max_new_tokens=60) for number in range(32)
    ]
    alone = [asyncio.run(engine.generate(job)) for job in jobs]

    async def too_slow() -> None:
        async with asyncio.timeout(0.02):
            await engine.generate(Job(prompt="Ships", max_new_tokens=200))

    async def hang_up() -> None:
        stream = engine.stream(Job(prompt="Ships", max_new_tokens=200))
        await anext(stream)
        await stream.aclose()

    *answers, greedy, long, late, gone = at_once(
        *(collect(engine, job) for job in jobs),
        engine.generate(Job(prompt="Ships", max_new_tokens=20, temperature=0.0)),
        engine.generate(Job(prompt="sea " * 5_000, max_new_tokens=20)),
        too_slow(),
        hang_up(),
    )
    assert [completion for _, completion in answers] == alone
    assert greedy.completion_tokens == 20
    assert isinstance(long, PromptRefusedError)
    assert isinstance(late, TimeoutError)
    assert gone is None


@pytest.mark.parametrize("when", [1, 5], ids=["with the prompts", "later"])
def test_an_error_of_the_model_ends_every_request_and_is_followed_by_a_new_start(
    when: int, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(model_dir)
    forward, calls = engine.model.forward, []
    states: list[tuple[bool, str]] = []

    def break_once(*arguments: object, **options: object) -> Any:
        calls.append(len(calls))
        if len(calls) == when:
            batcher = engine.batcher
            assert wait_until(lambda: len(batcher._rows) + len(batcher._waiting) == 12)
            raise RuntimeError("a secret of the GPU")
        if len(calls) == when + 1:  # the new start
            states.append((engine.ready, engine.status))
        return forward(*arguments, **options)

    monkeypatch.setattr(engine.model, "forward", break_once)
    ended = at_once(
        *(engine.generate(Job(prompt=prompt, max_new_tokens=30)) for prompt in PROMPTS),
        *(collect(engine, Job(prompt=prompt, max_new_tokens=30)) for prompt in PROMPTS),
    )
    assert [type(error) for error in ended] == [EngineFailedError] * 12
    assert "secret" not in str(ended[0])
    assert wait_until(lambda: engine.ready), "it did not start again"
    assert states == [(False, "failed")]
    assert run(engine, "The sea is").completion_tokens == 24


def wait_until(condition: Any, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(condition())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_never_starts_again_ends_the_process(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from myapi import batching

    engine, ends, attempts = start(model_dir), [], []
    prepare = engine.batcher._prepare

    def count_attempts() -> Any:
        attempts.append(len(attempts))
        return prepare()

    def leave(code: int) -> None:
        ends.append(code)
        raise SystemExit(code)  # of the thread, here

    monkeypatch.setattr(batching.os, "_exit", leave)
    monkeypatch.setattr(batching.time, "sleep", lambda _: None)
    monkeypatch.setattr(engine.batcher, "_prepare", count_attempts)
    monkeypatch.setattr(engine.model, "forward", lambda *_, **__: 1 / 0)
    with pytest.raises(EngineFailedError, match="ZeroDivisionError"):
        run(engine, "The sea is")
    assert wait_until(lambda: ends == [1])
    assert len(attempts) == 3
    assert wait_until(lambda: not engine.batcher._thread.is_alive())
    assert not engine.ready
    with pytest.raises(BusyError):
        run(engine, "The sea is")


def test_the_line_is_bounded(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BATCH", "2")
    monkeypatch.setenv("MAX_QUEUE", "3")
    engine = start(model_dir)
    job = Job(prompt="The sea is", max_new_tokens=40)
    ended = at_once(*(engine.generate(job) for _ in range(20)))
    refused = [error for error in ended if isinstance(error, BusyError)]
    assert {str(error) for error in refused} == {"Too many requests are waiting already"}
    assert 1 <= len(refused) <= 15
    assert all(done == run(engine, "The sea is", 40) for done in ended if done not in refused)


@pytest.mark.parametrize(("seconds", "finished"), [("20", True), ("0", False)])
def test_a_stop_finishes_what_has_begun_or_says_so(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch, seconds: str, finished: bool
) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", seconds)
    engine = start(model_dir)

    async def stop() -> tuple[Any, Any]:
        stream = engine.stream(Job(prompt="The sea is", max_new_tokens=100))
        await anext(stream)
        closing = asyncio.create_task(engine.close())
        assert await asyncio.to_thread(wait_until, lambda: not engine.ready)
        late = await asyncio.gather(
            engine.generate(Job(prompt="Ships", max_new_tokens=1)), return_exceptions=True
        )
        try:
            async for item in stream:
                last = item
        except BusyError as error:
            last = error
        await closing
        return late[0], last

    late, last = asyncio.run(stop())
    assert isinstance(late, BusyError)
    assert isinstance(last, Completion if finished else BusyError)
    assert not engine.batcher._thread.is_alive()


def test_the_cache_keeps_to_its_memory(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = 2 * 2 * 2 * 16 * 4 * 256  # keys and values, layers, heads, width, bytes, tokens
    monkeypatch.setenv("CACHE_MEGABYTES", "1")
    slots = start(model_dir).batcher._slots
    assert slots.bytes_per_token() * slots.length == one
    assert slots.count == 1_000_000 // one
    monkeypatch.setenv("MAX_NEW_TOKENS", "5000")
    other = json.loads((model_dir / "config.json").read_text())
    (model_dir / "config.json").write_text(json.dumps(other | {"max_position_embeddings": 9_000}))
    try:
        with pytest.raises(RuntimeError, match=r"5100 tokens needs 5 MB, and 1 MB are there"):
            start(model_dir)
    finally:
        (model_dir / "config.json").write_text(json.dumps(other))


def test_an_attention_that_it_does_not_know_stops_the_start(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from myapi import slots

    def average(query: Any, _: Any, value: Any, **__: object) -> Any:
        return value.mean(2, keepdim=True).expand_as(query)

    monkeypatch.setattr(slots, "scaled_dot_product_attention", average)
    with pytest.raises(RuntimeError, match=r"LlamaForCausalLM has .* alike by 0\.\d+\): serve it"):
        start(model_dir)


def test_scores_that_are_capped_stop_the_start(model_dir: Path, tmp_path: Path) -> None:
    """Tokens of the check are too few to see the difference."""
    import transformers

    config = transformers.Gemma2Config(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=128,
    )
    transformers.Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    for file in model_dir.glob("tokenizer*"):
        shutil.copy(file, tmp_path)
    with pytest.raises(RuntimeError, match=r"Gemma2ForCausalLM has an attention .* are capped"):
        start(tmp_path)


def test_a_model_that_scores_every_token_is_served_as_well(
    model_dir: Path, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = start(model_dir)
    forward = other.model.forward

    def score_all(*arguments: Any, logits_to_keep: Any, **options: Any) -> Any:
        return forward(*arguments, **options)

    monkeypatch.setattr(other.model, "forward", score_all)
    jobs = [Job(prompt=prompt, max_new_tokens=8) for prompt in PROMPTS]
    assert at_once(*map(other.generate, jobs)) == at_once(*map(engine.generate, jobs))


def test_it_is_ready_only_when_it_was_started(model_dir: Path) -> None:
    from myapi.transformers_engine import TransformersEngine

    engine = TransformersEngine(model_dir, device="cpu", max_prompt_tokens=100)
    assert (engine.ready, engine.status) == (False, "loading")
    with pytest.raises(BusyError, match="loading"):
        run(engine, "The sea is")
    engine.start()
    assert (engine.ready, engine.status) == (True, "ready")


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
