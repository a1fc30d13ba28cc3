"""What one container talks to: hands out inputs, passes requests and answers through, notes how it fares."""

import asyncio
import itertools
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modal._serialization import deserialize_data_format, serialize, serialize_data_format
from modal_proto import api_pb2

from .calls import SUCCESS, Calls
from .service import Service

HEARTBEAT_SECONDS = 10  # it may take; the client gives it 15
Message = dict[str, Any]  # of ASGI


@dataclass
class Call:
    """One request, or one websocket, on its way through a container."""

    input_id: str
    incoming: list[api_pb2.DataChunk] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    outgoing: asyncio.Queue[Message | None] = field(default_factory=asyncio.Queue)
    done: bool = False

    def put(self, message: Message) -> None:
        """Send an ASGI message to the application."""
        data = serialize_data_format(message, api_pb2.DATA_FORMAT_ASGI)
        chunk = api_pb2.DataChunk(
            data_format=api_pb2.DATA_FORMAT_ASGI, data=data, index=len(self.incoming) + 1
        )
        self.incoming.append(chunk)
        self.changed.set()

    def end(self) -> None:
        """Nothing more comes, in neither direction."""
        self.done = True
        self.changed.set()
        self.outgoing.put_nowait(None)

    async def answers(self) -> AsyncIterator[Message]:
        """The application's messages, until its call is over."""
        while (message := await self.outgoing.get()) is not None:
            yield message


class Worker(Service):
    """Answers one container.

    failed_start: why it did not come up, with the traceback; empty if it did.
    failed_inputs: the exceptions that left the application, one for each request.
    """

    def __init__(self, method: str, calls: Calls) -> None:
        super().__init__(calls)
        self.calls = calls
        self.method = method  # of the class; empty for a function
        self.failed_start = ""
        self.failed_inputs: list[str] = []
        self.asked_to_stop = False
        self.snapshots = 0
        self.dead = False  # its process is over
        self._taken: set[str] = set()  # inputs that it works on now
        self.ready = asyncio.Event()  # it asks for inputs, or says that its server is up
        self._calls: dict[str, Call] = {}
        self._inputs: asyncio.Queue[api_pb2.FunctionGetInputsItem] = asyncio.Queue()
        self._cancelled: asyncio.Queue[str] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self.restored: tuple[Path, Path] | None = (
            None  # the file that ends a snapshot: before, then
        )

    @property
    def at_once(self) -> int:
        """How many inputs it works on now."""
        return len(self._taken)

    def call(self, scope: Message) -> Call:
        """Queue a request, as the edge does.

        Only what Modal's protocol can carry of an ASGI scope arrives: no raw_path, no server, no extensions.
        """
        data = serialize_data_format(scope, api_pb2.DATA_FORMAT_ASGI)
        carried = deserialize_data_format(data, api_pb2.DATA_FORMAT_ASGI, None)
        number = next(self._numbers)
        call = self._calls[f"fc-{number}"] = Call(f"in-{number}")
        function_input = api_pb2.FunctionInput(
            args=serialize(((carried,), {})),
            data_format=api_pb2.DATA_FORMAT_PICKLE,
            method_name=self.method,
        )
        self.put(
            api_pb2.FunctionGetInputsItem(
                input_id=call.input_id, function_call_id=f"fc-{number}", input=function_input
            )
        )
        if self.dead:
            call.end()
        return call

    async def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the container's end; what it was asked then, and later, gets no answer."""
        await asyncio.to_thread(process.wait)
        self.dead = True
        for call in self._calls.values():
            call.end()
        self.calls.lose(self)

    def put(self, item: api_pb2.FunctionGetInputsItem) -> None:
        """Queue an input."""
        self._inputs.put_nowait(item)

    def cancel(self, input_id: str) -> None:
        """Have the container end its work on an input."""
        self._cancelled.put_nowait(input_id)

    def stop(self) -> None:
        """Ask the container to end once its inputs are done."""
        self._inputs.put_nowait(api_pb2.FunctionGetInputsItem(kill_switch=True))

    # Names of the methods are those of the protocol's calls.

    async def ContainerHello(self, request: Any) -> None:
        pass

    async def ContainerHeartbeat(self, request: Any) -> api_pb2.ContainerHeartbeatResponse:
        """Keep it until there is something to say, so that nobody waits for the next one."""
        try:
            input_id = await asyncio.wait_for(self._cancelled.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            return api_pb2.ContainerHeartbeatResponse()
        event = api_pb2.CancelInputEvent(input_ids=[input_id])
        return api_pb2.ContainerHeartbeatResponse(cancel_input_event=event)

    async def ContainerServerLifecycleReady(self, request: Any) -> None:
        self.ready.set()

    async def FunctionGetDynamicConcurrency(
        self, request: api_pb2.FunctionGetDynamicConcurrencyRequest
    ) -> api_pb2.FunctionGetDynamicConcurrencyResponse:
        return api_pb2.FunctionGetDynamicConcurrencyResponse(concurrency=request.max_concurrency)

    async def FunctionGetInputs(
        self, request: api_pb2.FunctionGetInputsRequest
    ) -> api_pb2.FunctionGetInputsResponse:
        self.ready.set()
        self.calls.offer(request.function_id, self)
        item = await self._inputs.get()
        if not item.kill_switch:
            self._taken.add(item.input_id)
        return api_pb2.FunctionGetInputsResponse(inputs=[item])

    async def FunctionCallGetDataIn(
        self, request: api_pb2.FunctionCallGetDataRequest
    ) -> AsyncIterator[api_pb2.DataChunk]:
        call = self._calls[request.function_call_id]
        index = request.last_index
        while not call.done:
            call.changed.clear()
            while index < len(call.incoming):  # more may come while one is sent
                yield call.incoming[index]
                index += 1
            await call.changed.wait()

    async def FunctionCallPutDataOut(self, request: api_pb2.FunctionCallPutDataRequest) -> None:
        call = self._calls[request.function_call_id]
        for chunk in request.data_chunks:
            message = deserialize_data_format(chunk.data, chunk.data_format, None)
            call.outgoing.put_nowait(message or {"type": "unknown to Modal"})

    async def FunctionPutOutputs(self, request: api_pb2.FunctionPutOutputsRequest) -> None:
        for output in request.outputs:
            self._taken.discard(output.input_id)  # one that ended as it was cancelled has two
            if self.calls.put_output(output):
                continue
            call = next(call for call in self._calls.values() if call.input_id == output.input_id)
            if output.result.status != SUCCESS:
                self.failed_inputs.append(output.result.exception or "it was cancelled")
            call.end()

    async def TaskResult(self, request: api_pb2.TaskResultRequest) -> None:
        result = request.result
        if result.status != SUCCESS:
            self.failed_start = f"{result.exception}\n{result.traceback}"

    async def ContainerStop(
        self, request: api_pb2.ContainerStopRequest
    ) -> api_pb2.ContainerStopResponse:
        self.asked_to_stop = True
        self.stop()
        return api_pb2.ContainerStopResponse()

    async def ContainerCheckpoint(self, request: api_pb2.ContainerCheckpointRequest) -> None:
        self.snapshots += 1
        if self.restored:
            before, then = self.restored  # a rename, because it is read as soon as it is there
            asyncio.get_running_loop().call_later(0.1, before.rename, then)

    async def VolumeCommit(
        self, request: api_pb2.VolumeCommitRequest
    ) -> api_pb2.VolumeCommitResponse:
        return api_pb2.VolumeCommitResponse()
