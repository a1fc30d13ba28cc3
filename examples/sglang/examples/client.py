"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from collections.abc import Iterator
from typing import Any

from httpx2 import EventSource, ServerSentEvent

from .endpoint import Endpoint, EndpointError

CHAT = "/v1/chat/completions"


class Client(Endpoint):
    """Options are those of OpenAI's API: `max_tokens`, `temperature`, `stop`, `seed`. Its own client works too, see README."""

    def model(self) -> str:
        """The name of the model, which answers carry and requests may."""
        (model,) = self.call("GET", "/v1/models")["data"]
        name: str = model["id"]
        return name

    def chat(self, text: str, **options: Any) -> str:
        answer = self.call("POST", CHAT, {"messages": said(text), **options})
        content: str = answer["choices"][0]["message"]["content"]
        return content

    def stream(self, text: str, **options: Any) -> Iterator[str]:
        """The same in pieces, as they come."""
        with self.open("POST", CHAT, {"messages": said(text), "stream": True, **options}) as answer:
            for event in EventSource(answer):
                if event.data == "[DONE]":
                    return
                for choice in read(event)["choices"]:
                    yield choice["delta"].get("content") or ""
        raise EndpointError(f"POST {CHAT}: the stream broke off")


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def read(event: ServerSentEvent) -> Any:
    """The JSON of an event, unless it says that the engine has given up."""
    data: Any = event.json()
    if "error" in data:
        raise EndpointError(f"POST {CHAT}: {data['error']['message']}")
    return data


def main(client: Client) -> None:
    print(client.model())
    print(client.chat("Why is the sea blue?", max_tokens=50))
    for piece in client.stream("Why is the sky blue?", max_tokens=50):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
