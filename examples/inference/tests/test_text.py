"""Text out of tokens, however the tokens fall: checked against the whole text at once."""

import random

import pytest

from myapi.engine import cut
from myapi.text import BROKEN, TextStream

TEXTS = [
    "The sea is wide",
    "é😀 naïve 🏴‍☠️ end",
    "日本語のテキスト",
    "a\n\nb  c",
    "ababababac",
    "€€€ STOP €€€",
]
STOPS = [
    (),
    ("STOP",),
    ("\n\n",),
    ("c",),
    ("ababac",),
    ("😀 n",),
    ("語の", "wide"),
    ("nowhere", "€"),
]
LEAST = 400


def decode(tokens: list[int]) -> str:
    """Each token is a byte, so that characters and stop strings fall apart everywhere."""
    return bytes(tokens).decode(errors="replace")


def decode_like_llama(tokens: list[int]) -> str:
    """The same, and the blank that a text begins with is dropped."""
    return decode(tokens).removeprefix(" ")


@pytest.mark.parametrize("decoder", [decode, decode_like_llama])
def test_pieces_are_the_text_up_to_the_stop_string(decoder: object) -> None:
    assert callable(decoder)
    cases = set()
    for text in TEXTS:
        for stop in STOPS:
            for prompt in ("", "x", "the prompt is longer than that", "ends in é"):
                for lead in ("", " "):
                    cases.add((lead + text, stop, prompt))
    assert len(cases) >= 300, "too few distinct cases"
    for text, stop, prompt in sorted(cases):
        if not prompt and text.startswith(" ") and decoder is decode_like_llama:
            continue  # then the blank is lost in the whole text too
        stream = TextStream(decoder, list(prompt.encode()), stop)
        pieces = []
        for token in text.encode():
            pieces.append(stream.push(token))
            if stream.stopped:
                break
        pieces.append(stream.finish())
        assert ("".join(pieces), stream.stopped) == cut(text, stop)
        assert stream.text == "".join(pieces)
        assert not any(BROKEN in piece for piece in pieces)


def test_every_piece_is_final_and_comes_as_soon_as_it_can() -> None:
    stream = TextStream(decode, [], ("STOP",))
    said = [stream.push(token) for token in "aé SSTO b".encode()]
    assert said == ["a", "", "é", " ", "", "S", "", "", "STO ", "b"]


def test_a_text_that_ends_within_a_character_ends_before_it() -> None:
    for length in range(1, 5):
        stream = TextStream(decode, [], ())
        text = "".join(map(stream.push, "a😀".encode()[:length])) + stream.finish()
        assert text == "a"


def test_bytes_that_are_no_text_do_not_hold_up_what_follows() -> None:
    stream = TextStream(decode, [], ())
    said = "".join(map(stream.push, b"a\xff\xfe\xe2\x82bc")) + stream.finish()
    assert said == decode(list(b"a\xff\xfe\xe2\x82bc"))


def test_what_was_added_unread_is_in_the_text() -> None:
    numbers, seen = random.Random(1), set()  # noqa: S311 (made-up input)
    for _ in range(LEAST):
        text = "".join(numbers.choices("ab é😀", k=numbers.randint(0, 30)))
        stream = TextStream(decode, [65], ())
        for token in text.encode():
            stream.push(token) if numbers.random() < 0.5 else stream.add(token)
        stream.finish()
        assert stream.text == text
        seen.add(text)
    assert len(seen) > LEAST / 2
