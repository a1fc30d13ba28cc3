"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from typing import TypedDict

from .endpoint import Endpoint, EndpointError


class Prediction(TypedDict):
    result: str
    tokens: int


class Item(TypedDict):
    item_id: int
    name: str


class Client(Endpoint):
    def predict(self, text: str, max_length: int = 100) -> Prediction:
        body = {"text": text, "max_length": max_length}
        prediction: Prediction = self.call("POST", "/predict", body)
        return prediction

    def item(self, item_id: int) -> Item | None:
        """An item, or None where it does not exist."""
        try:
            item: Item = self.call("GET", f"/items/{item_id}")
        except EndpointError as error:
            if error.status == 404:
                return None
            raise
        return item


def main(client: Client) -> None:
    print(client.predict("a longer sentence than the limit", max_length=3))
    print(client.item(2))


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
