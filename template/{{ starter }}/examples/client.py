"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys

from .endpoint import Endpoint, EndpointError


class Client(Endpoint):
    def hello(self) -> str:
        message: str = self.call("GET", "/")["message"]
        return message


def main(client: Client) -> None:
    print(client.hello())


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
