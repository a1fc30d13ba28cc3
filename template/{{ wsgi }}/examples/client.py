"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from typing import TypedDict

from .endpoint import Endpoint, EndpointError


class Prediction(TypedDict):
    result: str
    tokens: int


class Client(Endpoint):
    def predict(self, text: str, max_length: int = 100) -> Prediction:
        body = {"text": text, "max_length": max_length}
        prediction: Prediction = self.call("POST", "/predict", body)
        return prediction


def main(client: Client) -> None:
    print(client.predict("a longer sentence than the limit", max_length=3))


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
