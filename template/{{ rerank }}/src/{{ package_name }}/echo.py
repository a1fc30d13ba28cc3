"""A stand-in for a model: for tests, and for a machine that has none. Never used on Modal."""

from collections.abc import Sequence

from .engine import Reading, RefusedError, Text


class EchoEngine:
    """Says how many of the query's words the document has. A text alone is its own query."""

    ready = True
    labels: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return "ready" if self.ready else "loading"

    async def read(self, texts: Sequence[Text]) -> list[Reading]:
        return [self._read(*((text, text) if isinstance(text, str) else text)) for text in texts]

    def _read(self, query: str, document: str) -> Reading:
        asked, there = query.lower().split(), document.lower().split()
        if not asked or not there:
            raise RefusedError("A text has no tokens")
        found = sum(word in there for word in asked)
        tokens = len(there) if query == document else len(asked + there)
        return Reading([found / len(asked)], tokens)

    async def close(self) -> None:
        self.ready = False
