"""What the local server serves: the deployed application, on an echo where there is no model."""

import warnings
from importlib.util import find_spec

from fastapi import FastAPI

from . import weights
from .echo import EchoEngine
from .settings import Settings
from .web import create_app


def application() -> FastAPI:
    if reason := _why_no_model():
        print(
            f"myapi: no model here ({reason}), an echo answers. For the real one: "
            "uv sync --extra model && uv run python -m myapi.weights"
        )
        return create_app(EchoEngine())
    from .modal_app import Inference

    with warnings.catch_warnings():
        # The Volume is not mounted here: the weights lie in a directory.
        warnings.filterwarnings("ignore", category=UserWarning, message=".*[Vv]olume")
        app: FastAPI = Inference().web.local()
    return app


def _why_no_model() -> str | None:
    if find_spec("torch") is None or find_spec("transformers") is None:
        return "torch is not installed"
    try:
        weights.find(Settings().models_dir)
    except weights.ModelMissingError:
        return "its weights were not downloaded"
    return None
