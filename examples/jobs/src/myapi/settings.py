"""Settings of the application, read from environment variables of the same name. Yours.

On Modal they come from a Secret or from `env=` in modal_app.py.
"""

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
    max_in_flight: int = Field(default=100, gt=0)
    # A longer request gets 504. How long a job may take is said in modal_app.py.
    request_seconds: float = Field(default=290, gt=0)
    # Then a stream of events ends, and its client comes again: at 150 seconds Modal would redirect it.
    events_seconds: float = Field(default=120, gt=0)
