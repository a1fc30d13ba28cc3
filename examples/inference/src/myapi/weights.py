"""Which model is served, where its weights lie, and how they get there. A start never downloads.

`uv run python -m myapi.weights` downloads them to this machine.
"""

from pathlib import Path
from typing import Any

MODEL_ID = "Qwen/Qwen2.5-0.5B-Instruct"
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


def load(kind: Any, path: Path, *, unused: tuple[str, ...] = (), **options: Any) -> Any:
    """A model of transformers as it was trained.

    Args:
        kind: one of transformers' Auto classes.
        path: the model's directory.
        unused: how the names of weights begin that nobody asks, and that may be missing.
        options: those of `from_pretrained`.

    Raises:
        RuntimeError: when others are missing. transformers makes them up, and the model would answer at random.
    """
    model, loaded = kind.from_pretrained(path, output_loading_info=True, **options)
    missing = {name for name in loaded["missing_keys"] if not name.startswith(unused)}
    if missing:
        raise RuntimeError(
            f"This model was not trained for this: it has no {', '.join(sorted(missing))}"
        )
    return model


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
