"""The inference style with the real torch and transformers, which its users install as an extra of several GB."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import family
import locks
import slices
import warm

INFERENCE = [answers for answers in family.styles() if family.kind(answers) == "inference"]
ENCODERS = family.kinds_with("encoder")
# Each auth, and everything that a container can start from. Neither changes what the other does.
STARTS = [{}, {"memory_snapshot": False}, {"gpu_snapshot": True}]
# Modules that make texts.
ENGINE = (
    *("batching", "echo", "engine", "graphs", "packing", "sampling", "slots", "text"),
    *("transformers_engine", "weights"),
)
EVERY = [answers | start for answers, start in zip(INFERENCE, STARTS, strict=True)]
COMBINATIONS = slices.of_each(EVERY, family.kind)


@pytest.mark.parametrize("answers", COMBINATIONS, ids=family.identify)
def test_its_tests_pass_on_a_model_made_on_the_spot(
    template: Path, unbroken: Path, tmp_path: Path, answers: family.Answers
) -> None:
    project = family.render(template, tmp_path, answers)
    locks.lock(project)
    # An engine that is the same in every file needs no second test.
    again = answers != COMBINATIONS[0] and engine(project) == engine(unbroken)
    tests = warm.run(project, "-rs", *(["--ignore=tests/test_engine.py"] if again else []))
    check_all_passed(tests)


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoders_tests_pass_too(template: Path, tmp_path: Path, kind: str) -> None:
    project = family.render(template, tmp_path, family.kinds()[kind])
    locks.lock(project)
    tests = warm.run(project, "-rs")
    check_all_passed(tests)


def check_all_passed(tests: subprocess.CompletedProcess[str]) -> None:
    printed = tests.stdout
    assert tests.returncode == 0, printed[-8000:]
    assert not re.search(r"\d+ skipped", printed), f"a skipped test proves nothing:\n{printed}"
    assert int(re.findall(r"(\d+) passed", printed)[-1]) >= 100, printed


def engine(project: Path) -> dict[str, bytes]:
    """What makes the texts, and what tests it."""
    modules = [f"src/{family.NAME}/{name}.py" for name in ENGINE]
    return {
        name: Path(project, name).read_bytes()
        for name in ("tests/test_engine.py", "tests/conftest.py", *modules)
    }


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    # torch would take every core, and another test runs beside this one.
    variables = family.OWN_PLUGINS | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@dataclass(frozen=True)
class Mutant:
    """A project that is broken in one place, and the test of its own that must fail for that."""

    file: str
    old: str
    new: str
    test: str
    kind: str = "inference"


MUTANTS = {
    "an encoder that reads padding": Mutant(
        "transformers_engine.py",
        "(torch.arange(longest) < lengths[:, None]).long()",
        "torch.ones(len(texts), longest).long()",
        "test_inference.py::test_the_class_serves_the_model",
        "embed",
    ),
    "an encoder that does not compare": Mutant(
        "transformers_engine.py",
        "        self._compare_padding()\n",
        "",
        "test_engine.py::test_a_model_that_reads_padding_does_not_start",
        "embed",
    ),
    "an encoder that reads one at a time": Mutant(
        "transformers_engine.py",
        "batch_tokens=self.limits.batch_tokens",
        "batch_tokens=1",
        "test_engine.py::test_many_at_once_get_what_each_gets_alone",
        "embed",
    ),
    "an encoder that passes over what its tokenizer says": Mutant(
        "transformers_engine.py",
        "context, self.tokenizer.model_max_length)",
        "context)",
        "test_engine.py::test_what_the_model_cannot_read_is_refused",
        "embed",
    ),
    "a last token that is padding": Mutant(
        "head.py",
        "mask.sum(1) - 1",
        "mask.shape[1] - 1",
        "test_head.py::test_tokens_become_one_vector_as_the_model_says",
        "embed",
    ),
    "a mean of padding too": Mutant(
        "head.py",
        "(states * present).sum(1)",
        "states.sum(1)",
        "test_head.py::test_tokens_become_one_vector_as_the_model_says",
        "embed",
    ),
    "a layer that is passed over": Mutant(
        "head.py",
        "if unknown or",
        "if",
        "test_head.py::test_what_is_not_known_is_no_guess",
        "embed",
    ),
    "weights that are made up": Mutant(
        "weights.py",
        "    if missing:\n",
        "    if missing and unused is None:\n",
        "test_head.py::test_weights_that_are_missing_are_no_guess",
        "embed",
    ),
    "a writer with weights that are made up": Mutant(
        "transformers_engine.py",
        "weights.load(\n            AutoModelForCausalLM,\n",
        "AutoModelForCausalLM.from_pretrained(\n",
        "test_engine.py::test_a_model_without_all_its_weights_is_no_guess",
    ),
    "labels of a model that has none": Mutant(
        "weights.py",
        "if not name.startswith(unused)",
        "if name.startswith(unused)",
        "test_head.py::test_a_model_that_was_trained_for_something_else_is_no_guess",
        "classify",
    ),
    "one label of a model that gives several": Mutant(
        "head.py",
        "scores.sigmoid() if self.is_multiple else scores.softmax(1)",
        "scores.softmax(1)",
        "test_head.py::test_scores_become_probabilities_as_the_model_says",
        "classify",
    ),
    "the unlikeliest label": Mutant(
        "handlers.py",
        "label = max(scores",
        "label = min(scores",
        "test_handlers.py::test_each_text_has_its_likeliest_label",
        "classify",
    ),
    "a score that is taken as it is": Mutant(
        "head.py",
        "return scores.sigmoid()",
        "return scores",
        "test_head.py::test_a_score_becomes_relevance",
        "rerank",
    ),
    "a judgement by labels": Mutant(
        "head.py",
        "if count != 1:",
        "if count < 1:",
        "test_head.py::test_a_model_with_labels_is_no_guess",
        "rerank",
    ),
    "the worst first": Mutant(
        "handlers.py",
        "key=lambda index: -scores[index]",
        "key=lambda index: scores[index]",
        "test_handlers.py::test_the_best_comes_first",
        "rerank",
    ),
    "a pair that is read as one text": Mutant(
        "transformers_engine.py",
        "inputs = tokenizer(list(texts),",
        'inputs = tokenizer([text if isinstance(text, str) else " ".join(text) for text in texts],',
        "test_engine.py::test_tokens_are_counted",
        "rerank",
    ),
    "values of another's text": Mutant(
        "batching.py",
        "zip(chosen, read, strict=True)",
        "zip(chosen, reversed(read), strict=True)",
        "test_batching.py::test_values_come_in_the_order_of_the_texts",
        "embed",
    ),
    "one who holds up all others": Mutant(
        "batching.py",
        "self._waiting.rotate(-1)",
        "pass",
        "test_batching.py::test_many_texts_of_one_do_not_hold_up_another",
        "embed",
    ),
    "a pass for who has left": Mutant(
        "batching.py",
        "if not each.done.cancelled())",
        "if each)",
        "test_batching.py::test_who_leaves_is_left_out",
        "embed",
    ),
    "more padding than text": Mutant(
        "batching.py",
        " or count * longest - total > overhead + total // 4",
        "",
        "test_batching.py::test_texts_of_about_one_length_go_together",
        "embed",
    ),
    "a broken model that goes on": Mutant(
        "batching.py",
        "if self._failures == ATTEMPTS:",
        "if False:",
        "test_batching.py::test_a_model_that_goes_on_failing_ends_the_process",
        "embed",
    ),
    "a cache that stays where a request left": Mutant(
        "batching.py",
        "self._slots.move(len(self._rows), index, last.length)",
        "pass",
        "test_engine.py::test_many_at_random_get_what_each_gets_alone",
    ),
    "a prompt that stays where it grew": Mutant(
        "batching.py",
        "if slot != place:",
        "if slot < place:",
        "test_engine.py::test_many_at_random_get_what_each_gets_alone",
    ),
    "a token that does not see itself": Mutant(
        "slots.py",
        "visible = every <= own if",
        "visible = every < own if",
        "test_engine.py::test_it_is_ready_only_when_it_was_started",
    ),
    "recordings that begin with other rows": Mutant(
        "graphs.py",
        "        fixed.take(step)\n",
        "",
        "test_engine.py::test_recorded_steps_say_the_same",
    ),
    "recordings that see too little": Mutant(
        "graphs.py",
        "power(step.longest)",
        "power(step.longest) // 2",
        "test_engine.py::test_recorded_steps_say_the_same",
    ),
    "recordings that keep a mask": Mutant(
        "graphs.py",
        "fixed.forget()",
        "pass",
        "test_engine.py::test_recorded_steps_say_the_same",
    ),
    "recordings that write to the slot where a prompt grows": Mutant(
        "graphs.py",
        "min(power(step.rows), self._slots.count - 1)",
        "min(power(step.rows), self._slots.count)",
        "test_engine.py::test_recorded_steps_say_the_same",
    ),
    "prompts that interrupt at every step": Mutant(
        "batching.py",
        "self._since <= self.apart",
        "self._since < self.apart",
        "test_engine.py::test_recorded_steps_say_the_same",
    ),
    "an end where a model cannot be recorded": Mutant(
        "graphs.py",
        "except RuntimeError as error:",
        "except ZeroDivisionError as error:",
        "test_engine.py::test_what_cannot_be_recorded_is_not",
    ),
    "a window that does not slide": Mutant(
        "slots.py",
        "attn_mask=step.visible(sliding_window, query.device)",
        "attn_mask=step.visible(None, query.device)",
        "test_engine.py::test_other_families_of_models[Mistral]",
    ),
    "matrices without what is added": Mutant(
        "packing.py",
        'rows, weight, bias, "none"',
        'rows, weight, None, "none"',
        "test_engine.py::test_other_families_of_models[GPT2]",
    ),
    "an attention that is taken for another": Mutant(
        "slots.py",
        "if softcap is not None or s_aux is not None:",
        "if s_aux is not None:",
        "test_engine.py::test_scores_that_are_capped_stop_the_start",
    ),
    "the same numbers in each container": Mutant(
        "transformers_engine.py",
        "random.Random(job.seed)",
        "random.Random(job.seed or 1)",
        "test_engine.py::test_containers_of_one_snapshot_do_not_draw_the_same_numbers",
    ),
    "a seed that is not used": Mutant(
        "transformers_engine.py",
        "random.Random(job.seed)",
        "random.Random()",
        "test_engine.py::test_a_seed_decides_alone_and_among_others",
    ),
    "top_p that is not used": Mutant(
        "sampling.py",
        "probabilities = probabilities * likely",
        "pass",
        "test_engine.py::test_tokens_come_as_often_as_they_are_likely",
    ),
    "work for those who left": Mutant(
        "transformers_engine.py",
        "request.cancelled = True",
        "pass",
        "test_engine.py::test_who_leaves_is_gone_at_the_next_step",
    ),
    "a line without an end": Mutant(
        "batching.py",
        "if len(self._waiting) >= self._queue + free:",
        "if self._queue < 0:",
        "test_engine.py::test_the_line_is_bounded",
    ),
    "prompts that are lost in an error": Mutant(
        "batching.py",
        "ended = [*self._rows, *self._waiting]",
        "ended = [*self._rows]",
        "test_engine.py::test_an_error_of_the_model_ends_every_request_and_is_followed_by_a_new_start",
    ),
    "an error that says what others asked": Mutant(
        "batching.py",
        "return type(error).__name__",
        "return str(error)",
        "test_engine.py::test_an_error_of_the_model_ends_every_request_and_is_followed_by_a_new_start",
    ),
    "no end to new starts": Mutant(
        "batching.py",
        "if attempt == ATTEMPTS:",
        "if attempt > ATTEMPTS:",
        "test_engine.py::test_what_never_starts_again_ends_the_process",
    ),
    "a stop that waits for nobody": Mutant(
        "batching.py",
        "self._until = time.monotonic() + seconds",
        "self._until = time.monotonic()",
        "test_engine.py::test_a_stop_finishes_what_has_begun_or_says_so",
    ),
    "a cache that takes what it likes": Mutant(
        "transformers_engine.py",
        "count = min(self.limits.max_batch, room // one - 1)",
        "count = self.limits.max_batch",
        "test_engine.py::test_the_cache_keeps_to_its_memory",
    ),
    "a long prompt that holds up the event loop": Mutant(
        "transformers_engine.py",
        "return await loop.run_in_executor(self._patience, encode, self._long)",
        "return encode(self._long)",
        "test_engine.py::test_the_event_loop_goes_on_while_a_long_prompt_becomes_tokens",
    ),
    "an event for every token": Mutant(
        "request.py",
        "self.due = now + (self.interval or 0)",
        "pass",
        "test_engine.py::test_a_stream_comes_in_pieces_at_intervals",
    ),
    "the beginning of a stop string is said": Mutant(
        "text.py",
        "held = 0 if self.stopped else self._beginnings(text)",
        "held = 0",
        "test_text.py::test_pieces_are_the_text_up_to_the_stop_string",
    ),
    "half a character is said": Mutant(
        "text.py",
        'return "" if text.endswith(BROKEN) else self._emit(text)',
        "return self._emit(text)",
        "test_text.py::test_pieces_are_the_text_up_to_the_stop_string",
    ),
    "who hangs up is worked for": Mutant(
        "disconnect.py",
        "                gone = True\n                work.cancel()",
        "                gone = True",
        "test_openai.py::test_who_hangs_up_is_not_worked_for",
    ),
    "errors in another shape": Mutant(
        "openai_api.py",
        "return JSONResponse(problem(status, message), status, headers)",
        'return JSONResponse({"detail": message}, status, headers)',
        "test_openai.py::test_errors_have_their_status_and_openais_shape",
    ),
    "what is not offered is ignored": Mutant(
        "openai_api.py",
        'model_config = ConfigDict(extra="forbid", json_schema_extra=allow_null)\n\n    @model_validator',
        "@model_validator",
        "test_openai.py::test_what_is_not_offered_is_refused_by_name",
    ),
    "collections look through the model": Mutant(
        "modal_app.py",
        "gc.freeze()",
        "pass",
        "test_inference.py::test_the_class_serves_the_model",
    ),
}


@pytest.fixture(scope="module")
def unbroken(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family.render(template, tmp_path_factory.mktemp("unbroken"), INFERENCE[0])


@pytest.fixture(scope="module")
def encoders(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        kind: family.render(template, tmp_path_factory.mktemp(kind), family.kinds()[kind])
        for kind in ENCODERS
    }


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_its_tests_catch_what_is_broken(
    unbroken: Path, encoders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    mutant = MUTANTS[name]
    project = Path(shutil.copytree(encoders.get(mutant.kind, unbroken), tmp_path / "myapi"))
    broken = project / "src" / family.NAME / mutant.file
    text = broken.read_text()
    assert text.count(mutant.old) == 1, "the mutant does not fit any more"
    broken.write_text(text.replace(mutant.old, mutant.new))
    tests = warm.run(project, "--exitfirst", f"tests/{mutant.test}")
    assert tests.returncode, tests.stdout[-3000:]
    assert re.search(rf"^FAILED tests/{re.escape(mutant.test)}", tests.stdout, re.MULTILINE)
