"""The command line of SGLang: https://docs.sglang.io/docs/advanced_features/server_arguments"""

import sys
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
    words = [
        sys.executable,
        "-m",
        f"{__package__}.launch",
        f"--model-path={model}",
        f"--served-model-name={weights.MODEL_ID}",
        f"--host={host}",
        f"--port={port}",
        "--skip-server-warmup",  # it would come as a stranger; control.py warms it up
        "--log-level-http=warning",  # the gate has a line for each request
        f"--tp-size={GPUS}",
        f"--max-running-requests={MAX_BATCH}",
    ]
    if settings.max_model_len:
        words.append(f"--context-length={settings.max_model_len}")
    if settings.gpu_memory_fraction:
        words.append(f"--mem-fraction-static={settings.gpu_memory_fraction:g}")
    return words + settings.engine_options
