"""What runs on Modal: the image, the weights, the limits and the server of the model.

The only module that imports modal. Deploy it as a module, so that the whole package is mounted:
`uv run modal deploy -m myapi.modal_app`
"""

from pathlib import Path

import modal

from . import control, logs, weights
from .command import command
from .process import Process

PORT = 8000
# Less than a container may take to start, so that the error that says what is wrong comes first.
START_SECONDS = 890

PROJECT = Path(__file__).resolve().parents[2]

# The locked dependencies and nothing else: https://modal.com/docs/guide/images
image = (
    # With the compilers that kernels are built with at a start: https://modal.com/docs/guide/cuda
    modal.Image.from_registry(
        "nvidia/cuda:13.0.2-devel-ubuntu24.04",
        add_python="3.13",
    )
    .entrypoint([])  # its own prints a notice
    .uv_sync(
        str(PROJECT),
        extras=["model"],
        extra_options="--no-dev",
        uv_version="0.13.9",
    )
    # Last, because it is mounted when a container starts: a change of code builds nothing.
    .add_local_python_source("myapi")
)
app = modal.App("myapi", image=image)

# https://modal.com/docs/guide/volumes
MODELS_DIR, CACHE_DIR = "/models", "/cache"
models = modal.Volume.from_name(
    "myapi-models",
    create_if_missing=True,
)
# What the engine compiles at its first start, for all later ones. Another GPU or version finds nothing of its own there.
cache = modal.Volume.from_name(
    "myapi-cache",
    create_if_missing=True,
)


# A gated model needs `secrets=[modal.Secret.from_name("huggingface", required_keys=["HF_TOKEN"])]`.
@app.function(
    volumes={MODELS_DIR: models},
    env={
        "HF_XET_HIGH_PERFORMANCE": "1",
        # Bytes are counted without a terminal too, in a log line every few seconds:
        # https://github.com/huggingface/huggingface_hub/pull/2698
        "TQDM_POSITION": "-1",
        "TQDM_MININTERVAL": "5",
    },
    max_containers=1,
    timeout=3600,
)
def download_model() -> None:
    """Fill the Volume: `uv run modal run -m myapi.modal_app::download_model`"""
    weights.download(Path(MODELS_DIR))
    models.commit()


@app.cls(
    # https://modal.com/docs/guide/gpu
    gpu="L40S",
    volumes={
        MODELS_DIR: models.with_mount_options(read_only=True),
        CACHE_DIR: cache,
    },
    env={
        "MODELS_DIR": MODELS_DIR,
        "HF_HUB_OFFLINE": "1",  # a start must not depend on the hub
        # What is compiled, of its libraries too: https://docs.sglang.io/docs/references/environment_variables
        "SGLANG_CACHE_DIR": f"{CACHE_DIR}/sglang",
        "SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "false",  # or who asks after its health asks the model
    },
    # Reserved, and billed even where unused: https://modal.com/docs/guide/resources
    cpu=4.0,
    memory=16384,
    # https://modal.com/docs/guide/scale
    min_containers=0,
    max_containers=3,  # the cost cap
    scaledown_window=300,
    # Seconds for one request, and for a start: https://modal.com/docs/guide/timeouts
    timeout=600,
    startup_timeout=900,
)
# All of them are answered together, as far as memory goes; from the target on Modal starts another container:
# https://modal.com/docs/guide/concurrent-inputs
@modal.concurrent(max_inputs=128, target_inputs=64)
class Server:
    process: Process | None = None

    @modal.enter()
    def start(self) -> None:
        logs.configure()
        control.make_key()
        # Modal comes in by the container's network interface, where 127.0.0.1 is not.
        host = "0.0.0.0"  # noqa: S104
        self.process = Process(command(host, PORT), host, PORT)
        engine = control.Control(self.process, PORT)
        engine.wait_until_healthy(START_SECONDS)
        engine.check_gate()
        engine.warm_up()

    # https://modal.com/docs/guide/webhooks#non-asgi-web-servers
    @modal.web_server(
        PORT,
        requires_proxy_auth=True,
    )
    def web(self) -> None:
        if self.process:  # it is up since `start`
            self.process.watch()

    # https://modal.com/docs/guide/lifecycle-functions
    @modal.exit()
    def stop(self) -> None:
        if self.process:
            self.process.stop()
