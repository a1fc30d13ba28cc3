"""What runs on Modal: the image, the limits and the server.

The only module that imports modal. Deploy it as a module, so that the whole package is mounted:
`uv run modal deploy -m myapi.modal_app`
"""

import gc
from pathlib import Path

import modal

from .background import Background
from .web import create_app

PORT = 8000

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
    # Only *.py without `ignore`.
    .add_local_python_source(
        "myapi",
        ignore=~modal.FilePatternMatcher("**/*.py", "**/*.html"),
    )
)
app = modal.App("myapi", image=image)


class Lifecycle:
    """What a container does. It stands by itself, since of a Modal Server nothing can be called here."""

    server: Background | None = None

    @modal.enter()
    def start(self) -> None:
        # What is loaded stays: to look through it for garbage, again and again, would hold up requests.
        gc.freeze()
        self.server = Background(create_app(), PORT)

    # https://modal.com/docs/guide/lifecycle-functions
    @modal.exit()
    def stop(self) -> None:
        if self.server:
            self.server.stop()


# https://modal.com/docs/guide/servers
@app.server(
    port=PORT,
    # A container without these keys does not start: https://modal.com/docs/guide/secrets
    secrets=[
        modal.Secret.from_name(
            "myapi",
            required_keys=["API_TOKENS"],
        ),
    ],
    # Reserved, and billed even where unused: https://modal.com/docs/guide/resources
    cpu=0.5,
    memory=512,
    # https://modal.com/docs/guide/scale
    min_containers=0,
    max_containers=10,  # the cost cap
    scaledown_window=60,
    # At the target Modal starts another container; what is above the maximum is answered with 429.
    target_concurrency=80,
    max_concurrency=100,
    startup_timeout=60,
    # Seconds for what is under way when a container goes, before it is told to end; nothing new comes meanwhile.
    exit_grace_period=30,
    # Where requests come in; `modal.direct` in the URL has its name.
    routing_region="us-east",
    # Unless told so, Modal lets nobody in without a proxy token.
    unauthenticated=True,
)
class Server(Lifecycle):
    """What Modal runs."""
