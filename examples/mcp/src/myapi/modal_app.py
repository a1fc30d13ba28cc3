"""What runs on Modal: the image, the limits and the web function.

The only module that imports modal. Deploy it as a module, so that the whole package is mounted:
`uv run modal deploy -m myapi.modal_app`
"""

import gc
from pathlib import Path

import modal
from starlette.applications import Starlette

from .web import create_app

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
def web() -> Starlette:
    # What is loaded stays: to look through it for garbage, again and again, would hold up requests.
    gc.freeze()
    return create_app()
