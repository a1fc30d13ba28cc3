"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from .endpoint import Endpoint, EndpointError

MOST = 256  # texts in one request


class Client(Endpoint):
    def embed(self, texts: Sequence[str], dimensions: int | None = None) -> list[list[float]]:
        """A vector of length 1 for each text, however many there are. OpenAI's own client speaks to `/v1` too, see README."""
        vectors: list[list[float]] = []
        for some in batches(texts):
            body = {"texts": some, "dimensions": dimensions}
            vectors += self.call("POST", "/embed", body)["vectors"]
        return vectors


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while some := list(islice(rest, MOST)):
        yield some


def nearest(vector: Sequence[float], others: Sequence[Sequence[float]]) -> int:
    """The place of the one that is nearest: of vectors of length 1, the one with the largest product."""
    products = [sum(a * b for a, b in zip(vector, other, strict=True)) for other in others]
    return products.index(max(products))


def main(client: Client) -> None:
    documents = ["The sea is wide and blue", "Nobody slept", "Bread takes flour and water"]
    query, *vectors = client.embed(["the blue sea", *documents])
    print(documents[nearest(query, vectors)])


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
