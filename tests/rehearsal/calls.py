"""What containers share: Dicts, and calls that nobody waits for, `.spawn()`, with what came of each."""

import asyncio
import contextlib
import itertools
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpclib
from grpclib.const import Status
from modal_proto import api_pb2

if TYPE_CHECKING:
    from .worker import Worker

SUCCESS = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
TERMINATED = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED
MISSING = api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING


@dataclass
class Spawned:
    """A call, from `.spawn()` to its output."""

    function_id: str
    call_id: str
    input_id: str
    input: api_pb2.FunctionInput
    retries: int  # that are left
    attempts: int = 0  # that have begun
    worker: "Worker | None" = None  # whose container works on it
    output: api_pb2.FunctionGetOutputsItem | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Calls:
    """Answers these calls of the protocol for any container. One for all of a stage.

    Args:
        retry_policy: of a function, by its id.
    """

    def __init__(self, retry_policy: Callable[[str], api_pb2.FunctionRetryPolicy]) -> None:
        self._retry_policy = retry_policy
        self.dicts: dict[str, dict[bytes, bytes]] = {}  # by id
        self.spawned: dict[str, Spawned] = {}  # by id of the call
        self._waiting: dict[str, deque[Spawned]] = defaultdict(deque)  # by function
        self._idle: dict[str, deque[Worker]] = defaultdict(deque)
        self._numbers = itertools.count(1)

    def offer(self, function_id: str, worker: "Worker") -> None:
        """A container has room for one input: give it the call that waits longest, or the next that comes."""
        self._idle[function_id].append(worker)
        self._hand_out(function_id)

    def lose(self, worker: "Worker") -> None:
        """A container is gone; what it worked on goes to another one, however often that happens."""
        for idle in self._idle.values():
            while worker in idle:
                idle.remove(worker)
        for call in self.spawned.values():
            if call.worker is worker and not call.output:
                call.worker = None
                self._waiting[call.function_id].appendleft(call)
                self._hand_out(call.function_id)

    def put_output(self, item: api_pb2.FunctionPutOutputsItem) -> bool:
        """Keep what came of a call, or let it begin anew; whether it was one of these."""
        call = next(
            (call for call in self.spawned.values() if call.input_id == item.input_id), None
        )
        if call is None:
            return False
        call.worker = None
        if item.result.status in (SUCCESS, TERMINATED) or not call.retries:
            self._end(call, item.result, item.data_format)
        else:
            call.retries -= 1
            self._waiting[call.function_id].append(call)
            self._hand_out(call.function_id)
        return True

    def _hand_out(self, function_id: str) -> None:
        waiting, idle = self._waiting[function_id], self._idle[function_id]
        while waiting and idle:
            call = waiting.popleft()
            if call.output:  # cancelled meanwhile
                continue
            call.worker = idle.popleft()
            call.attempts += 1
            call.worker.put(
                api_pb2.FunctionGetInputsItem(
                    input_id=call.input_id,
                    function_call_id=call.call_id,
                    input=call.input,
                    retry_count=call.attempts - 1,
                )
            )

    def _end(self, call: Spawned, result: api_pb2.GenericResult, data_format: int) -> None:
        call.output = api_pb2.FunctionGetOutputsItem(
            result=result,
            input_id=call.input_id,
            data_format=data_format,  # type: ignore[arg-type]
        )
        call.over.set()

    # Names of the methods are those of the protocol's calls.

    async def FunctionMap(self, request: api_pb2.FunctionMapRequest) -> api_pb2.FunctionMapResponse:
        (item,) = request.pipelined_inputs
        number = next(self._numbers)
        call_id, input_id = f"fc-spawned-{number}", f"in-spawned-{number}"
        policy = self._retry_policy(request.function_id)
        call = Spawned(request.function_id, call_id, input_id, item.input, policy.retries)
        self.spawned[call_id] = call
        self._waiting[request.function_id].append(call)
        self._hand_out(request.function_id)
        return api_pb2.FunctionMapResponse(
            function_call_id=call_id,
            pipelined_inputs=[api_pb2.FunctionPutInputsResponseItem(input_id=input_id)],
            retry_policy=policy,
        )

    async def FunctionGetOutputs(
        self, request: api_pb2.FunctionGetOutputsRequest
    ) -> api_pb2.FunctionGetOutputsResponse:
        call = self.spawned.get(request.function_call_id)
        if call is None:  # so long ago that nobody knows
            return api_pb2.FunctionGetOutputsResponse()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(call.over.wait(), request.timeout)
        if call.output:
            return api_pb2.FunctionGetOutputsResponse(outputs=[call.output])
        return api_pb2.FunctionGetOutputsResponse(num_unfinished_inputs=1)

    async def FunctionCallCancel(self, request: api_pb2.FunctionCallCancelRequest) -> None:
        call = self.spawned[request.function_call_id]
        if call.worker:
            call.worker.cancel(call.input_id)
        elif not call.output:
            self._end(call, api_pb2.GenericResult(status=TERMINATED), api_pb2.DATA_FORMAT_PICKLE)

    async def DictGetOrCreate(
        self, request: api_pb2.DictGetOrCreateRequest
    ) -> api_pb2.DictGetOrCreateResponse:
        dict_id = f"di-{request.environment_name}-{request.deployment_name}"
        if dict_id not in self.dicts and request.object_creation_type != MISSING:
            message = f"Dict {request.deployment_name!r} not found"
            raise grpclib.GRPCError(Status.NOT_FOUND, message)
        self.dicts.setdefault(dict_id, {})
        metadata = api_pb2.DictMetadata(name=request.deployment_name)
        return api_pb2.DictGetOrCreateResponse(dict_id=dict_id, metadata=metadata)

    async def DictGet(self, request: api_pb2.DictGetRequest) -> api_pb2.DictGetResponse:
        value = self.dicts[request.dict_id].get(request.key)
        return api_pb2.DictGetResponse(found=value is not None, value=value)

    async def DictUpdate(self, request: api_pb2.DictUpdateRequest) -> api_pb2.DictUpdateResponse:
        (entry,) = request.updates
        entries = self.dicts[request.dict_id]
        if request.if_not_exists and entry.key in entries:
            return api_pb2.DictUpdateResponse(created=False)
        entries[entry.key] = entry.value
        return api_pb2.DictUpdateResponse(created=True)
