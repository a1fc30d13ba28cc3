"""The rendered project's server, which says at /times where its CPU time went.

python -m benchmarks.breakdown PORT
"""

import functools
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from .inside import make_engine
from .parts import PARTS


def watch(engine: Any) -> Callable[[], Awaitable[dict[str, float]]]:
    """Time the engine's parts; return what reads them: seconds of CPU so far, and of `wall`."""
    from myapi import batching
    from myapi.slots import Slots
    from myapi.text import TextStream

    spent = dict.fromkeys(PARTS, 0.0)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[part] += time.thread_time() - started

        return call

    batcher = engine.batcher
    batcher._forward = timed("forward", batcher._forward)
    batcher._deliver = timed("hand-over", batcher._deliver)
    engine.tokenizer = timed("tokenizing", engine.tokenizer)
    patch(batching, "choose", functools.partial(timed, "sampling"))
    patch(Slots, "move", functools.partial(timed, "moves"))
    for name in ("add", "push", "finish"):
        patch(TextStream, name, functools.partial(timed, "text"))
    clocks = {
        thread: time.pthread_getcpuclockid(thread.ident or 0)
        for thread in (batcher._thread, threading.main_thread())
    }

    async def read() -> dict[str, float]:
        model, loop = (time.clock_gettime(clock) for clock in clocks.values())
        whole = time.process_time()
        now = {**spent, "wall": time.perf_counter(), "other": whole - model - loop}
        now["step"] = model - sum(
            now[part] for part in ("forward", "sampling", "text", "moves", "hand-over")
        )
        now["web"] = loop - now["tokenizing"]
        now["idle"] = now["wall"] - whole
        return now

    return read


def patch(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    setattr(owner, name, wrap(getattr(owner, name)))


def main() -> None:
    from myapi.web import create_app

    engine, port = make_engine(), sys.argv[1]
    app = create_app(engine)
    app.get("/times")(watch(engine))
    config = uvicorn.Config(app, port=int(port), log_config=None, access_log=False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
