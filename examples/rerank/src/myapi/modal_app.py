"""What runs on Modal: the image, the weights, the limits and the class that holds the model.

The only module that imports modal. Deploy it as a module, so that the whole package is mounted:
`uv run modal deploy -m myapi.modal_app`
"""

import gc
from pathlib import Path

import modal
from fastapi import FastAPI

from . import weights
from .settings import Settings
from .web import create_app

PROJECT = Path(__file__).resolve().parents[2]

# The locked dependencies and nothing else: https://modal.com/docs/guide/images
image = (
    modal.Image.debian_slim(python_version="3.13")
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
MODELS_DIR = "/models"
models = modal.Volume.from_name(
    "myapi-models",
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
    gpu="L4",
    volumes={MODELS_DIR: models.with_mount_options(read_only=True)},
    env={
        "MODELS_DIR": MODELS_DIR,
        "MODEL_DEVICE": "cuda",
        "BATCH_TOKENS": "16384",  # more gain nothing, and others wait longer
        "HF_HUB_OFFLINE": "1",  # a start must not depend on the hub
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    },
    # Reserved, and billed even where unused: https://modal.com/docs/guide/resources
    cpu=2.0,
    memory=4096,
    # https://modal.com/docs/guide/scale
    min_containers=0,
    max_containers=3,  # the cost cap
    scaledown_window=300,
    # Seconds for one request, and for a start: https://modal.com/docs/guide/timeouts
    timeout=120,
    startup_timeout=600,
    # https://modal.com/docs/guide/memory-snapshots
    enable_memory_snapshot=True,
)
# All of them are answered together, as far as memory goes; from the target on Modal starts another container:
# https://modal.com/docs/guide/concurrent-inputs
@modal.concurrent(max_inputs=128, target_inputs=64)
class Inference:
    # The snapshot is taken after this, on a machine without a GPU. Even to ask for one would fix the
    # answer: https://modal.com/docs/guide/memory-snapshots
    @modal.enter(snap=True)
    def load(self) -> None:
        settings = Settings()
        path = weights.find(settings.models_dir)
        # None of what is loaded now is garbage, and to look for some takes a fourth of the time.
        gc.disable()
        from .transformers_engine import TransformersEngine

        self.engine = TransformersEngine(
            path,
            device=settings.model_device,
            max_text_tokens=settings.max_text_tokens,
        )

    @modal.enter(snap=False)
    def start(self) -> None:
        self.engine.start()
        gc.freeze()  # nor will it be: to look through it stops all answers for a fourth of a second
        gc.enable()

    # https://modal.com/docs/guide/webhooks
    @modal.asgi_app(requires_proxy_auth=True)
    def web(self) -> FastAPI:
        return create_app(self.engine)
