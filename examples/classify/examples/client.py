"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from collections.abc import Sequence
from typing import TypedDict

from .endpoint import Endpoint, EndpointError

MOST = 256  # texts in one request


class Classified(TypedDict):
    label: str
    score: float
    scores: dict[str, float]


class Client(Endpoint):
    def classify(self, texts: Sequence[str]) -> list[Classified]:
        """A label for each text, however many there are."""
        found: list[Classified] = []
        for start in range(0, len(texts), MOST):
            body = {"texts": list(texts[start : start + MOST])}
            found += self.call("POST", "/classify", body)["results"]
        return found


def main(client: Client) -> None:
    texts = ["What a great day", "I hate to wait"]
    for text, found in zip(texts, client.classify(texts), strict=True):
        print(f"{text}: {found['label']} ({found['score']:.2f})")


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
