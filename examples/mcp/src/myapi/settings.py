"""Settings of the application, read from environment variables of the same name. Yours.

On Modal they come from a Secret or from `env=` in modal_app.py.
"""

from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    log_level: str = "INFO"
    # Origins whose pages may call from a browser, as JSON: ["https://app.example.com"], or ["*"] for all.
    # Programs name no origin, and need not be listed.
    allowed_origins: list[str] = []
    # Names under which it answers, as JSON: ["api.example.com", "*.example.org"]. Empty: under any.
    enforced_hosts: list[str] = []
    # A larger request is refused with 413. Modal itself would pass 4 GiB on.
    max_body_bytes: int = Field(default=1_000_000, gt=0)
    # More requests at once are refused with 503. Modal sends no more than max_inputs in modal_app.py.
    max_in_flight: int = Field(default=100, gt=0)
    # A longer request gets 504. It ends alone then; at the timeout in modal_app.py its container may go.
    request_seconds: float = Field(default=290, gt=0)
