"""Modal's gRPC service on a loopback socket: every call goes to the method of its name, or fails by name."""

import functools
from collections.abc import Mapping
from typing import Any

import grpclib
from google.protobuf.message import Message
from grpclib.const import Handler, Status
from grpclib.server import Server
from modal_proto.api_grpc import ModalClientBase


class Service:
    """Answers the calls that a subclass has a method for: `async def AppCreate(self, request) -> reply`.

    A method that returns None answers with an empty reply; an async generator answers with a stream.

    Args:
        beside: others whose methods answer the calls that it has none for.
    """

    def __init__(self, *beside: object) -> None:
        self.unknown: list[str] = []  # calls that nobody here knows
        self._answering = (self, *beside)
        self._server: Server | None = None

    def __mapping__(self) -> Mapping[str, Handler]:
        # The service's descriptor, by way of the generated base class: all its methods are abstract.
        every = dict.fromkeys(ModalClientBase.__abstractmethods__)
        described = type("Described", (ModalClientBase,), every)().__mapping__()
        return {
            path: handler._replace(func=functools.partial(self._answer, path, handler.reply_type))
            for path, handler in described.items()
        }

    async def _answer(self, path: str, reply_type: type[Message], stream: Any) -> None:
        name = path.rpartition("/")[2]
        request = await stream.recv_message()
        method = next(
            (getattr(each, name) for each in self._answering if hasattr(each, name)), None
        )
        if method is None:
            self.unknown.append(name)
            raise grpclib.GRPCError(Status.UNIMPLEMENTED, f"the rehearsal does not know {name}")
        answer = method(request)
        if hasattr(answer, "__aiter__"):
            async for message in answer:
                await stream.send_message(message)
        else:
            await stream.send_message(await answer or reply_type())

    async def listen(self, path: str) -> str:
        """Listen on a Unix socket; return its URL for MODAL_SERVER_URL."""
        self._server = Server([self])
        await self._server.start(path=path)
        return f"unix://{path}"

    async def close(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()
