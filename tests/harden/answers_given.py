"""Random answers to all questions: about half of the sets can be rendered, the others hold something that cannot."""

import functools
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.configuration
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import family
from harden.answers_injections import CORPUS

Strategy = st.SearchStrategy[Any]
KINDS = sorted(path.stem for path in (family.ROOT / "styles").glob("*.yml"))
LOWER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
REGIONS = ("us", "eu", "uk", "ap", "ca", "sa", "me", "mx", "af", "us-east", "eu-west-1", "ap-south")
GPUS = (
    "T4",
    "L4",
    "A10",
    "L40S",
    "A100",
    "A100-40GB",
    "A100-80GB",
    "RTX-PRO-6000",
    "H100",
    "H100!",
)
MORE_GPUS = (*GPUS, "H200", "B200", "B200+")
# Words that a careless pattern for letters refuses: their vowels are marks of their own.
MARKED = ("हिन्दी", "தமிழ் API", "ภาษาไทย", "Zoe\u0308", "မြန်မာ", "עִבְרִית")
BOUNDS: dict[str, tuple[int, int]] = {
    "server_port": (1024, 65535),
    "min_containers": (0, 1000),
    "buffer_containers": (0, 1000),
    "max_containers": (1, 1000),
    "scaledown_window": (2, 3600),
    "max_inputs": (1, 1000),
    "target_inputs": (1, 1000),
    "timeout": (1, 86400),
    "startup_timeout": (2, 86400),
    "memory": (128, 344064),
}


@dataclass(frozen=True)
class Given:
    """A set of answers.

    Attributes:
        answers: by question.
        fine: whether each of them is one that its question's help allows, so that it must not be refused.
    """

    answers: family.Answers
    fine: bool


def draw_sets(number: int, seed: int, home: Path) -> list[Given]:
    """About that many different sets, the same ones for the same seed; each style and each question has its share.

    In a process of its own, because hypothesis takes constants from all modules that are loaded.

    Args:
        number: how many.
        seed: of the whole run.
        home: where hypothesis may write.
    """
    program = "import harden.answers_given as given, sys; given.tell_sets(*sys.argv[1:])"
    drawn = subprocess.run(
        [sys.executable, "-c", program, str(number), str(seed), str(home)],
        cwd=family.ROOT / "tests",
        check=True,
        capture_output=True,
    ).stdout
    return [Given(answers, fine) for answers, fine in json.loads(drawn)]


def tell_sets(number: str, seed: str, home: str) -> None:
    drawn = _draw_sets(int(number), int(seed), Path(home))
    print(json.dumps([[given.answers, given.fine] for given in drawn]))


def _draw_sets(number: int, seed: int, home: Path) -> list[Given]:
    hypothesis.configuration.set_hypothesis_home_dir(home)
    found: dict[str, Given] = {}
    runs = [(sets(kind, ""), 0.4 / len(KINDS)) for kind in KINDS]
    # Of those that may be refused some are not, so that about half of all are.
    runs += [(sets("", name), 0.7 / len(ANY)) for name in ANY]
    for place, (strategy, share) in enumerate(runs):
        for given in draw(strategy, math.ceil(number * share), seed + place):
            found.setdefault(repr(sorted(given.answers.items())), given)
    return list(found.values())


def draw(strategy: st.SearchStrategy[Given], number: int, seed: int) -> list[Given]:
    """What the strategy gives."""
    found: list[Given] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(given: Given) -> None:
        found.append(given)

    collect()
    return found


@st.composite
def sets(draw: st.DrawFn, kind: str, wrong: str) -> Given:
    """Answers of which all are fine, but for the one to a question, if any, and perhaps to another.

    Args:
        draw: of hypothesis.
        kind: of the project, or nothing for any.
        wrong: the question whose answer may be anything, or nothing.
    """
    kind = kind or draw(st.sampled_from(KINDS))
    answers = {**family.choices()[kind], "auth": draw(st.sampled_from(possible("auth", kind)))}
    for name, strategy in FINE.items():
        if draw(st.integers(0, 3)):
            answers[name] = draw(strategy)
    pair(answers, "min_containers", "max_containers", follows=True)
    pair(answers, "target_inputs", "max_inputs", follows=False)
    if "python_version" in answers:
        answers["python_version"] = draw(st.sampled_from(possible("python_version", kind)))
    if kind in ENGINES and "gpu" in answers:
        answers["gpu"] = draw(ENGINE_GPUS)
    if kind in ENCODERS and "gpu" in answers:
        answers["gpu"] = answers["gpu"].partition(":")[0]  # one each
    if kind in ENGINES and "model_id" in answers:  # one that says no size
        answers["model_id"] = answers["model_id"].replace("b", "x").replace("B", "X")
    if ":" in answers.get("gpu", ""):
        answers["gpu_snapshot"] = False
    others = draw(st.lists(st.sampled_from(list(ANY)), max_size=1)) if wrong else []
    for name in filter(None, (wrong, *others)):
        answers[name] = draw(ANY[name])
    return Given(answers, fine=not wrong)


@functools.cache
def possible(name: str, kind: str) -> list[str]:
    return family.offered(name, family.choices()[kind])


def pair(answers: family.Answers, low: str, high: str, *, follows: bool) -> None:
    """Put two numbers in order; the default of the high one may not follow a low one that is given alone."""
    if low in answers and high in answers:
        answers[low], answers[high] = sorted((answers[low], answers[high]))
        answers[high] = max(answers[high], 1)
    elif not follows:
        answers.pop(low, None)


def choices(name: str) -> list[Any]:
    offered = family.questions()[name]["choices"]
    values = offered.values() if isinstance(offered, dict) else offered
    return [value["value"] if isinstance(value, dict) else value for value in values]


def bare(text: str) -> str:
    return text.strip()


VISIBLE = st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp"))
LETTERS = st.characters(codec="utf-8", categories=("L", "Nd"))
PROSE = st.one_of(
    st.text(VISIBLE, min_size=1, max_size=300),
    st.text(LETTERS, min_size=250, max_size=300),
    st.text(st.sampled_from("aé語🚀\"'`\\{}[]<>&#*_~|!$%:;,=-+.() "), min_size=1, max_size=300),
    st.sampled_from(CORPUS),
)
# Free text: what is refused about it is said once, here, by what its help allows.
SENTENCE = PROSE.map(bare).filter(
    lambda text: 0 < len(text) <= 300 and text.isprintable() and text != '"' and text[:2] != '""'
)
NAME = st.one_of(
    st.text(st.one_of(LETTERS, st.sampled_from(" .,&()'+-_")), min_size=1, max_size=64),
    st.text(LETTERS, min_size=40, max_size=64),
    st.sampled_from(MARKED),
)
PARTS = st.lists(st.text(LOWER + DIGITS, min_size=1, max_size=9), min_size=1, max_size=5)
LABELS = st.lists(st.text(LOWER + DIGITS, min_size=1, max_size=20), min_size=1, max_size=4)
TOPS = ("example.com", "co.uk", "mymodal.com", "xn--p1ai", "dev")
WORDS = st.lists(
    st.one_of(
        st.text(LOWER + "-_=/.:,@%+~*?!^#", min_size=1, max_size=30),
        st.sampled_from(
            ("$PORT", "--port=$PORT", "$HOST:$PORT", "'a b'", "'{{ x }} | y'", "'ü 🚀'")
        ),
    ),
    min_size=1,
    max_size=12,
)
FINE: dict[str, Strategy] = {
    "project_name": NAME.map(bare).filter(lambda text: any(map(str.isalnum, text))),
    "tune": st.booleans(),
    "project_slug": PARTS.map(lambda parts: ("x" + "-".join(parts))[:40].rstrip("-")),
    "package_name": PARTS.map(lambda parts: "_".join(("x", *parts))[:40]),
    "description": SENTENCE,
    "user_name": SENTENCE.map(lambda text: text[:100].translate({60: None, 62: None}).strip()),
    "user_email": st.one_of(
        st.just(""), PARTS.map(lambda parts: ".".join(parts) + "+tag@" + parts[0] + ".example.com")
    ),
    "custom_domain": st.one_of(
        st.just(""),
        st.builds(lambda labels, top: ".".join([*labels, top]), LABELS, st.sampled_from(TOPS)),
        LABELS.map(lambda labels: "*." + labels[0] + ".example.org"),
    ),
    "gpu": st.one_of(
        st.just("none"),
        st.sampled_from(MORE_GPUS),
        st.builds("{}:{}".format, st.sampled_from(MORE_GPUS), st.integers(1, 4)),
        st.lists(st.sampled_from(MORE_GPUS), min_size=1, max_size=8).map(", ".join),
    ),
    "model_id": st.builds(
        "{}/{}".format,
        st.text(LOWER + DIGITS, min_size=1, max_size=20),
        st.from_regex(r"\A[A-Za-z0-9]([._-]?[A-Za-z0-9]){0,25}\Z").filter(lambda t: "--" not in t),
    ),
    "model_revision": st.one_of(
        st.from_regex(r"\A[0-9a-f]{40}\Z"),
        st.sampled_from(("main", "refs/pr/1", "v1.0")),
    ),
    "server_command": WORDS.map(" ".join),
    "license": st.sampled_from(choices("license")),
    "python_version": st.sampled_from(choices("python_version")),
    "ci": st.sampled_from(choices("ci")),
    **{name: st.integers(*bounds) for name, bounds in BOUNDS.items()},
    "cpu": st.floats(0.125, 64),
    "region": st.one_of(
        st.just(""),
        st.lists(st.sampled_from(REGIONS), min_size=1, max_size=4).map(", ".join),
    ),
    "memory_snapshot": st.booleans(),
    "gpu_snapshot": st.booleans(),
}

ENGINES, ENCODERS = family.kinds_with("engine"), family.kinds_with("encoder")
# Of an engine: one number of each kind, and none without bfloat16.
ENGINE_GPUS = st.builds(
    lambda kinds, count: ", ".join(f"{kind}:{count}" if count > 1 else kind for kind in kinds),
    st.lists(st.sampled_from([gpu for gpu in MORE_GPUS if gpu != "T4"]), min_size=1, max_size=8),
    st.sampled_from((1, 2, 4)),
)

NEAR = st.builds(
    lambda text, extra, at: text[:at] + extra + text[at:],
    st.sampled_from(("main", "my-api", "a b", "eu", "T4", "me@example.com", "api.example.com", "")),
    st.one_of(st.sampled_from(CORPUS), st.characters(codec="utf-8")),
    st.integers(0, 12),
)
ANY_TEXT = st.one_of(
    st.text(max_size=80),
    NEAR,
    NEAR,
    st.sampled_from(CORPUS),
    st.sampled_from(
        ("", " ", "x" * 5_000, "é" * 301, "-", ".", "..", "none", "true", "~", "class")
    ),
)
ANY: dict[str, Strategy] = {
    name: st.sampled_from(("nope", "", "None", "proxy\n", "3.10", "Ａ"))
    for name in (*family.KIND, "auth", "license", "python_version", "ci")
}
ANY |= {
    name: ANY_TEXT for name in FINE if family.questions()[name]["type"] == "str" and name not in ANY
}
ANY |= {
    name: st.one_of(
        st.integers(least - 3, least + 3),
        st.integers(most - 3, most + 3),
        st.integers(),
        st.sampled_from((0, -1, 10**30, "abc", "")),
    )
    for name, (least, most) in BOUNDS.items()
}
ANY["cpu"] = st.one_of(st.floats(), st.floats(0.1, 0.13), st.floats(63, 65), st.just("abc"))
