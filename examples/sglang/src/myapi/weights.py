"""Which model is served, where its weights lie, and how they get there. A start never downloads.

`uv run python -m myapi.weights` downloads them to this machine.
"""

from pathlib import Path
from typing import Any

MODEL_ID = "Qwen/Qwen3-4B-Instruct-2507"
# A branch moves; the full commit hash, which the download prints, does not.
MODEL_REVISION = "main"

# Weights as safetensors only, because loading the older formats can run code.
SELECTION: dict[str, Any] = {
    "allow_patterns": ["*.json", "*.jinja", "*.model", "*.safetensors", "*.txt"],
    "ignore_patterns": ["consolidated*", "onnx/*", "original/*"],  # second copies
}


class ModelMissingError(RuntimeError):
    pass


def find(models_dir: Path) -> Path:
    """The directory of the model. Asks nobody: what is not on disk is missing.

    Raises:
        ModelMissingError: when it was never downloaded, or not completely.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        path: str = snapshot_download(
            MODEL_ID,
            revision=MODEL_REVISION,
            cache_dir=models_dir,
            local_files_only=True,
            **SELECTION,
        )
    except LocalEntryNotFoundError as error:
        raise ModelMissingError(
            f"{MODEL_ID} at {MODEL_REVISION} is not complete in {models_dir}. Download it: "
            "`modal run -m myapi.modal_app::download_model` on Modal, "
            "`python -m myapi.weights` here."
        ) from error
    return Path(path)


def download(models_dir: Path) -> Path:
    """Fetch what is missing, and print which commit that is. What is there is not fetched again."""
    from huggingface_hub import snapshot_download

    path = Path(
        snapshot_download(MODEL_ID, revision=MODEL_REVISION, cache_dir=models_dir, **SELECTION)
    )
    print(f"{MODEL_ID} at {MODEL_REVISION} is commit {path.name}, in {path}")
    return path


if __name__ == "__main__":
    from .settings import Settings

    download(Settings().models_dir)
