"""Text out of tokens, as they come: no half characters, nothing of a stop string."""

from collections.abc import Callable, Sequence

from .engine import cut

# What a decoder puts where bytes make no character, or not yet.
BROKEN = "\ufffd"
# So many tokens of the prompt are decoded along, because some tokenizers drop the blank that a text begins with.
CONTEXT = 8


class TextStream:
    """The text of one completion.

    Args:
        decode: text of tokens, without special ones.
        prompt: tokens before the first.
        stop: strings that end the text.
    """

    def __init__(
        self, decode: Callable[[list[int]], str], prompt: Sequence[int], stop: tuple[str, ...]
    ) -> None:
        self._decode = decode
        self.stop = stop
        self._tokens = list(prompt[-CONTEXT:])  # those that what comes next may depend on
        self._known = len(self._tokens)  # so many of them are in the text
        self._held = ""  # may be the beginning of a stop string
        self._pieces: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """All that `push` and `finish` gave so far."""
        return "".join(self._pieces)

    def add(self, token: int) -> None:
        """Add a token that nobody needs to read yet."""
        self._tokens.append(token)

    def push(self, token: int) -> str:
        """Add a token; return the text that is certain now, which may be none."""
        self._tokens.append(token)
        text = self._new_text()
        return "" if text.endswith(BROKEN) else self._emit(text)  # the next token may mend it

    def finish(self) -> str:
        """Return the rest, when no more tokens come."""
        if self.stopped:
            return ""
        # The end may have fallen in the middle of a character.
        rest = self._emit(self._new_text().rstrip(BROKEN))
        if not self.stopped and self._held:
            rest += self._held
            self._pieces.append(self._held)
            self._held = ""
        return rest

    def _new_text(self) -> str:
        before = self._decode(self._tokens[: self._known])
        return self._decode(self._tokens)[len(before) :]

    def _emit(self, text: str) -> str:
        # Decoding begins where the last text began, so that a blank in front of it is kept.
        del self._tokens[: max(0, self._known - CONTEXT)]
        self._known = len(self._tokens)
        text, self.stopped = cut(self._held + text, self.stop)
        held = 0 if self.stopped else self._beginnings(text)
        self._held = text[len(text) - held :]
        self._pieces.append(text[: len(text) - held])
        return self._pieces[-1]

    def _beginnings(self, text: str) -> int:
        """How many characters at the end could be the beginning of a stop string."""
        longest = max(map(len, self.stop), default=1) - 1
        for count in range(min(longest, len(text)), 0, -1):
            if any(string.startswith(text[-count:]) for string in self.stop):
                return count
        return 0
