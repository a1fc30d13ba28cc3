"""What the page works out, free of Streamlit. Yours: the template never changes this file after it wrote it."""

import re
from collections import Counter


def decode(content: bytes) -> str:
    """The text of a file, whatever wrote it: what is no UTF-8 becomes U+FFFD."""
    return content.decode("utf-8-sig", "replace")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def most_frequent(text: str, number: int, shortest: int = 1) -> dict[str, int]:
    """Count the words of at least `shortest` letters; the most frequent first, ties by the alphabet."""
    counts = Counter(word for word in words(text) if len(word) >= shortest)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:number])


def reading_minutes(text: str, words_per_minute: int = 220) -> float:
    return len(words(text)) / words_per_minute
