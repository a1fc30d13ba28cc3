"""Settings of the application, read from environment variables of the same name. Yours.

On Modal they come from a Secret or from `env=` in modal_app.py.
"""

from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    log_level: str = "INFO"
    # Other origins whose pages may connect, as JSON: ["https://app.example.com"], or ["*"] for all.
    # Pages of this host may, and so may programs, which name no origin.
    allowed_origins: list[str] = []
    # Names under which it answers, as JSON: ["api.example.com", "*.example.org"]. Empty: under any.
    enforced_hosts: list[str] = []
    # Sockets in one container: fewer than max_concurrency in modal_app.py, so that the page and a health check
    # still get through.
    max_connections: int = Field(default=90, gt=0)
    # Then it gets a code and a reason. Modal sets no limit; who connects again may meet a newer container.
    session_seconds: float = Field(default=3590, gt=0)
    # uvicorn passes messages of up to 2 MiB.
    max_message_bytes: int = Field(default=65_536, gt=0, le=2_097_152)
    messages_per_second: float = Field(default=20, gt=0)
    message_burst: int = Field(default=40, gt=0)
    # A client that has been silent for so long is sent {"type": "ping"}. Any message is an answer.
    ping_seconds: float = Field(default=30, gt=0)
    # One that does not answer is gone, or does not care: each open socket keeps its container paid.
    idle_seconds: float = Field(default=120, gt=0)
    # How long a client may take to read what it is sent.
    send_seconds: float = Field(default=10, gt=0)
    # For what is no socket, the page and probes: more at once get 503, and slower ones 504.
    max_in_flight: int = Field(default=100, gt=0)
    request_seconds: float = Field(default=10, gt=0)
