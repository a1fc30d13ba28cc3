"""Tells another service of each job that has ended, signed as https://www.standardwebhooks.com has it."""

import base64
import hashlib
import hmac
import json
import logging
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import HttpUrl

from . import logs
from .jobs import Jobs, Runner

SECRET = re.compile(r"whsec_([A-Za-z0-9+/]{32,86}={0,2})")
ANSWER_SECONDS = 10
LOOK_SECONDS = 10.0  # from one look whether a job was cancelled to the next
log = logging.getLogger(__name__)
logging.getLogger("httpx2").setLevel(logging.WARNING)  # else it logs addresses with all they hold


class NotTold(Exception):
    """The other service did not take it."""


@dataclass(frozen=True)
class Webhook:
    """Where to tell it, and the key that signs it."""

    url: str
    key: bytes = field(repr=False)

    @classmethod
    def from_env(cls) -> "Webhook | None":
        """Read WEBHOOK_URL and WEBHOOK_SECRET; None where neither is set.

        Raises:
            RuntimeError: when one is missing or malformed. The application must not start then: it would tell nobody.
        """
        url, secret = os.environ.get("WEBHOOK_URL", ""), os.environ.get("WEBHOOK_SECRET", "")
        if not url and not secret:
            return None
        try:
            address = str(HttpUrl(url))
        except ValueError:
            example = "https://example.com/jobs"
            raise RuntimeError(f"WEBHOOK_URL: expected an address such as {example}") from None
        encoded = SECRET.fullmatch(secret)
        if not encoded or len(encoded[1]) % 4:
            raise RuntimeError(
                "WEBHOOK_SECRET: expected whsec_ and 24 to 64 bytes in base64 "
                '(for example from `echo "whsec_$(openssl rand -base64 32)"`)'
            )
        return cls(address, base64.b64decode(encoded[1]))

    def send(self, message_id: str, message: dict[str, Any]) -> None:
        """Send a message, signed.

        Raises:
            NotTold: when it is not answered with 2xx, or not in time.
        """
        import httpx2  # here, since all that starts would wait for it, and only this needs it

        body = json.dumps(message).encode()
        seconds = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "Webhook-Id": message_id,
            "Webhook-Timestamp": str(seconds),
            "Webhook-Signature": self.signature(message_id, seconds, body),
        }
        try:
            with httpx2.stream(
                "POST", self.url, content=body, headers=headers, timeout=ANSWER_SECONDS
            ) as answer:  # of which nobody reads the body
                taken, said = answer.is_success, str(answer.status_code)
        except httpx2.TransportError as error:
            taken, said = False, type(error).__name__
        if not taken:
            raise NotTold(f"The webhook was not taken: {said}")

    def signature(self, message_id: str, seconds: int, body: bytes) -> str:
        """What shows the other service who sent it, and when; `seconds` since 1970."""
        signed = b"%s.%d.%s" % (message_id.encode(), seconds, body)
        digest = hmac.digest(self.key, signed, hashlib.sha256)
        return f"v1,{base64.b64encode(digest).decode()}"


def tell(runner: Runner, job_id: str) -> None:
    """Wait for the end of a job, and tell of it. Where that was done, do nothing.

    Raises:
        NotTold: when the other service did not take it.
    """
    logs.request_id.set(job_id)
    notes, jobs = runner.notes, Jobs(runner)
    while (call := notes.get(f"{job_id}/call")) is None:
        time.sleep(1)  # whoever starts a job has this called before it is noted
    while jobs.outcome(job_id, call, LOOK_SECONDS) is None:
        pass
    webhook = Webhook.from_env()
    if webhook is None or notes.get(f"{job_id}/told"):
        return
    job, _ = jobs.read(job_id)
    message = {
        "type": f"job.{job.status}",
        "timestamp": datetime.now(UTC).isoformat(),
        # Not the result, which may be large, and is for who may ask for it.
        "data": job.model_dump(mode="json", include={"id", "status", "created_at", "error"}),
    }
    webhook.send(job_id, message)
    notes.put(f"{job_id}/told", True)
    log.info("told", extra={"status": job.status})
