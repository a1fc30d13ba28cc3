"""Settings of the application, read from environment variables of the same name. Yours.

On Modal they come from a Secret or from `env=` in modal_app.py.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    log_level: str = "INFO"
    # Origins whose pages may call this API from a browser, as JSON: ["https://app.example.com"]
    cors_origins: list[str] = []
    # Names under which it answers, as JSON: ["api.example.com", "*.example.org"]. Empty: under any.
    enforced_hosts: list[str] = []
    # A larger request is refused with 413. Modal itself would pass 4 GiB on.
    max_body_bytes: int = Field(default=1_000_000, gt=0)
    # More requests at once are refused with 503. Modal sends no more than max_inputs in modal_app.py.
    max_in_flight: int = Field(default=128, gt=0)
    # Whatever takes longer ends here, waiting for others included; below the timeout in modal_app.py, at which
    # its container may go.
    request_seconds: float = Field(default=110, gt=0)
    # A longer text is refused with 422, and so is one that is longer than the model can read.
    max_text_tokens: int = Field(default=8_192, gt=0)
    # Where the weights lie; on Modal that is a Volume.
    models_dir: Path = Path("models")
    # auto looks for a GPU. On Modal the answer is known, and a look would spoil a memory snapshot.
    model_device: Literal["auto", "cpu", "cuda"] = "auto"
