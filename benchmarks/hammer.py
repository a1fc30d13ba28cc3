"""The lightest client there is: the same request again and again, on open connections, in a process of its own.

A line of JSON in ({"port", "request", "clients", "seconds"}), a line out: how many answers came, by status.
"""

import asyncio
import json
import re
import sys
from collections import Counter

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Client(asyncio.Protocol):
    def __init__(self, request: bytes, statuses: Counter[int]) -> None:
        self.request = request
        self.statuses = statuses
        self.transport: asyncio.Transport
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if found and length and len(body) >= int(length[1]):
            self.statuses[int(head[9:12])] += 1
            self.data = b""
            self.transport.write(self.request)


async def hammer(port: int, request: str, clients: int, seconds: float) -> Counter[int]:
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(request.encode(), statuses), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.abort()
    return statuses


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(asyncio.run(hammer(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
