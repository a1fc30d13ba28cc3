"""What runs on Modal: the image, the limits, the web function, and the functions that do the work and tell of it.

Deploy it as a module, so that the whole package is mounted:
`uv run modal deploy -m myapi.modal_app`
"""

import gc
from pathlib import Path
from typing import Any

import modal
from fastapi import FastAPI

from . import logs
from .jobs import perform
from .local_runner import LocalRunner
from .modal_runner import ModalRunner
from .settings import Settings
from .web import create_app
from .webhook import tell

PROJECT = Path(__file__).resolve().parents[2]

# The locked dependencies and nothing else: https://modal.com/docs/guide/images
image = (
    modal.Image.debian_slim(python_version="3.13")
    .uv_sync(
        str(PROJECT),
        extra_options="--no-dev",
        uv_version="0.13.9",
    )
    # Last, because it is mounted when a container starts: a change of code builds nothing.
    .add_local_python_source("myapi")
)
app = modal.App("myapi", image=image)
# What is noted of jobs. An entry that nobody touches goes after seven days: https://modal.com/docs/guide/dicts
notes = modal.Dict.from_name(
    "myapi-jobs",
    create_if_missing=True,
)


@app.function(
    # For one job; each container does one at a time.
    cpu=1.0,
    memory=1024,
    max_containers=10,  # the cost cap: as many jobs at once; more wait
    # Seconds for one job, 86400 at most: https://modal.com/docs/guide/timeouts
    timeout=3600,
    startup_timeout=60,
    # After an exception or a timeout. What is lost with its container begins anew in any case.
    # https://modal.com/docs/guide/retries
    retries=1,
)
def run_job(job_id: str, job: dict[str, Any]) -> dict[str, Any]:
    logs.configure(Settings().log_level)
    return perform(notes, job_id, modal.current_function_call_id() or "", job)


@app.function(
    # It waits for jobs, a hundred in a container, and is called where there is a webhook.
    cpu=0.125,
    memory=256,
    max_containers=10,
    timeout=86400,  # the most there is; then it begins anew
    startup_timeout=60,
    # A webhook that is not taken is sent again, for about five minutes: https://modal.com/docs/guide/retries
    retries=modal.Retries(max_retries=10, initial_delay=1.0, backoff_coefficient=2.0),
)
@modal.concurrent(max_inputs=100)
def watch_job(job_id: str) -> None:
    logs.configure(Settings().log_level)
    tell(ModalRunner(run_job, notes, watch_job), job_id)


@app.function(
    # Reserved, and billed even where unused: https://modal.com/docs/guide/resources
    cpu=0.5,
    memory=512,
    # https://modal.com/docs/guide/scale
    min_containers=0,
    max_containers=10,  # the cost cap
    scaledown_window=60,
    # Seconds for one request, and for a start: https://modal.com/docs/guide/timeouts
    timeout=300,
    startup_timeout=60,
)
# https://modal.com/docs/guide/concurrent-inputs
@modal.concurrent(max_inputs=100, target_inputs=80)
# https://modal.com/docs/guide/webhooks
@modal.asgi_app(requires_proxy_auth=True)
def web() -> FastAPI:
    # What is loaded stays: to look through it for garbage, again and again, would hold up requests.
    gc.freeze()
    # `web.local()` needs no Modal, so neither do its jobs.
    return create_app(LocalRunner() if modal.is_local() else ModalRunner(run_job, notes, watch_job))
