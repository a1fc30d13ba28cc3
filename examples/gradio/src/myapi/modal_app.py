"""What runs on Modal: the image, the limits and the web server.

The only module that imports modal. Deploy it as a module, so that the whole package is mounted:
`uv run modal deploy -m myapi.modal_app`
"""

from pathlib import Path

import modal

from . import logs
from .command import command
from .process import Process

PORT = 8000
# Less than a container may take to start, so that the error that says what is wrong comes first.
PORT_SECONDS = 110

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


@app.cls(
    # A container without these keys does not start: https://modal.com/docs/guide/secrets
    secrets=[
        modal.Secret.from_name(
            "myapi",
            required_keys=["LOGIN_USERS"],
        ),
    ],
    # Reserved, and billed even where unused: https://modal.com/docs/guide/resources
    cpu=1.0,
    memory=1024,
    # https://modal.com/docs/guide/scale
    min_containers=0,
    max_containers=1,  # the cost cap
    scaledown_window=300,
    # Seconds for one request, and for a start: https://modal.com/docs/guide/timeouts
    timeout=600,
    startup_timeout=120,
)
# https://modal.com/docs/guide/concurrent-inputs
@modal.concurrent(max_inputs=100, target_inputs=100)
class Server:
    process: Process | None = None

    # https://modal.com/docs/guide/webhooks#non-asgi-web-servers
    @modal.web_server(
        PORT,
        startup_timeout=PORT_SECONDS,
    )
    def web(self) -> None:
        logs.configure()
        # Modal comes in by the container's network interface, where 127.0.0.1 is not.
        host = "0.0.0.0"  # noqa: S104
        self.process = Process(command(host, PORT), host, PORT)
        self.process.wait_until_ready(PORT_SECONDS)
        self.process.watch()

    # Runs after a failed start too: https://modal.com/docs/guide/lifecycle-functions
    @modal.exit()
    def stop(self) -> None:
        if self.process:
            self.process.stop()
