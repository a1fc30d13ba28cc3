"""The command line of vLLM: https://docs.vllm.ai/en/stable/cli/serve/"""

from pathlib import Path

from . import weights
from .settings import Settings

GPUS = 1  # as in modal_app.py; the model is split among them
MAX_BATCH = 128  # requests that share each step of the model: all that Modal sends


def command(host: str, port: int) -> list[str]:
    """What starts it on the weights that were downloaded.

    Raises:
        ModelMissingError: when they were not, or not completely.
    """
    settings = Settings()
    return arguments(settings, weights.find(settings.models_dir), host, port)


def arguments(settings: Settings, model: Path, host: str, port: int) -> list[str]:
    return [
        "vllm",
        "serve",
        str(model),
        f"--served-model-name={weights.MODEL_ID}",
        f"--host={host}",
        f"--port={port}",
        f"--middleware={__package__}.gate.Gate",
        "--disable-fastapi-docs",
        "--disable-uvicorn-access-log",  # the gate has a line for each request
        f"--tensor-parallel-size={GPUS}",
        f"--max-num-seqs={MAX_BATCH}",
        f"--max-model-len={settings.max_model_len or 'auto'}",
        f"--gpu-memory-utilization={settings.gpu_memory_fraction:g}",
        *settings.engine_options,
    ]
