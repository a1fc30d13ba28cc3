"""A client of this endpoint. Yours, like what it calls.

`uv run python -m examples.client` calls the endpoint at `URL`, or the local server.
"""

import sys
from collections.abc import Iterator
from typing import Any, TypedDict

from httpx2 import EventSource, ServerSentEvent

from .endpoint import Endpoint, EndpointError


class Generated(TypedDict):
    generated: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class Client(Endpoint):
    """Options are those of the routes: `max_new_tokens` or `max_completion_tokens`, `temperature`, `stop`, `seed`."""

    def generate(self, prompt: str, **options: Any) -> Generated:
        generated: Generated = self.call("POST", "/generate", {"prompt": prompt, **options})
        return generated

    def stream(self, prompt: str, **options: Any) -> Iterator[str]:
        """The same text in pieces, as it comes."""
        body = {"prompt": prompt, "stream": True, **options}
        for event in self._events("/generate", body):
            if event.event == "done":
                return
            yield read(event)["text"]
        raise EndpointError("POST /generate: the stream broke off")

    def chat(self, text: str, **options: Any) -> Iterator[str]:
        """The answer of an assistant, in pieces. OpenAI's own client speaks to `/v1` too, see README."""
        (model,) = self.call("GET", "/v1/models")["data"]
        messages = [{"role": "user", "content": text}]
        body = {"model": model["id"], "messages": messages, "stream": True, **options}
        for event in self._events("/v1/chat/completions", body):
            if event.data == "[DONE]":
                return
            for choice in read(event)["choices"]:
                yield choice["delta"].get("content") or ""
        raise EndpointError("POST /v1/chat/completions: the stream broke off")

    def _events(self, path: str, body: dict[str, Any]) -> Iterator[ServerSentEvent]:
        with self.open("POST", path, body) as answer:
            yield from EventSource(answer)


def read(event: ServerSentEvent) -> Any:
    """The JSON of an event, unless it says that the endpoint has given up."""
    data: Any = event.json()
    if event.event == "error":
        raise EndpointError(f"{data['status']} {data['detail']}", data["status"])
    if "error" in data:
        raise EndpointError(data["error"]["message"])
    return data


def main(client: Client) -> None:
    print(client.generate("The sea is", max_new_tokens=5, temperature=0))
    for piece in client.stream("one two three", max_new_tokens=3):
        print(piece, end="", flush=True)
    print()
    for piece in client.chat("Why is the sea blue?", max_completion_tokens=8):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    try:
        with Client.from_environment() as client:
            main(client)
    except EndpointError as error:
        sys.exit(str(error))
