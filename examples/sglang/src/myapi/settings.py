"""Settings of the engine and of the gate in front of it, read from environment variables of the same name. Yours.

On Modal they come from a Secret or from `env=` in modal_app.py.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    log_level: str = "INFO"
    # Tokens of a prompt and its answer together; None takes as many as the model and the GPU's memory allow.
    max_model_len: int | None = Field(default=None, gt=0)
    # Of the GPU's memory, for weights, keys and values; None leaves what the engine reckons that it needs besides.
    gpu_memory_fraction: float | None = Field(default=None, gt=0, lt=1)
    # More options of SGLang's command line, as JSON: ["--random-seed", "1"]. They come last, so they win.
    engine_options: list[str] = []
    # How the paths begin that callers reach, as JSON. All others answer 404: some of them stop or change the engine.
    paths: list[str] = ["/v1/"]
    # Names under which it answers, as JSON: ["api.example.com", "*.example.org"]. Empty: under any.
    enforced_hosts: list[str] = []
    # A larger request is refused with 413. Modal itself would pass 4 GiB on.
    max_body_bytes: int = Field(default=10_000_000, gt=0)
    # More requests at once are refused with 503. Modal sends no more than max_inputs in modal_app.py.
    max_in_flight: int = Field(default=128, gt=0)
    # Whatever takes longer ends here; below the timeout in modal_app.py, at which its container may go.
    request_seconds: float = Field(default=590, gt=0)
    # Where the weights lie; on Modal that is a Volume.
    models_dir: Path = Path("models")
