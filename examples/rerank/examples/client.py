"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from collections.abc import Sequence
from typing import TypedDict

from .endpoint import Endpoint, EndpointError


class Ranked(TypedDict):
    index: int
    relevance_score: float


class Client(Endpoint):
    def rerank(
        self, query: str, documents: Sequence[str], top_n: int | None = None
    ) -> list[Ranked]:
        """Places of the documents and how well each answers the query, the best first."""
        body = {"query": query, "documents": list(documents), "top_n": top_n}
        results: list[Ranked] = self.call("POST", "/rerank", body)["results"]
        return results


def main(client: Client) -> None:
    documents = ["Bread takes flour and water", "The sea is wide and blue", "Ships cross the sea"]
    for found in client.rerank("the blue sea", documents, top_n=2):
        print(f"{found['relevance_score']:.2f} {documents[found['index']]}")


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
