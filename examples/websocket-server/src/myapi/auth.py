"""The application's own tokens, from the environment variable API_TOKENS (a Modal Secret).

Several `name:token` pairs, separated by commas, so that a token can be replaced while the old one still
works, and so that the log can say who called.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

PAIR = re.compile(r"([A-Za-z0-9_-]{1,40}):([A-Za-z0-9_.~-]{32,256})")


@dataclass(frozen=True)
class Tokens:
    """Names of callers by the SHA-256 digest of their token."""

    digests: Mapping[bytes, str]

    @classmethod
    def from_env(cls) -> "Tokens":
        """Read API_TOKENS.

        Raises:
            RuntimeError: when it is missing, malformed, or names a token twice. The application must not
                start then: it would be open, or shut to everybody.
        """
        text = os.environ.get("API_TOKENS", "")
        digests: dict[bytes, str] = {}
        for number, item in enumerate(text.split(","), start=1):
            pair = PAIR.fullmatch(item.strip())
            if not pair:
                raise RuntimeError(
                    f"API_TOKENS, entry {number}: expected name:token with a token of 32 to 256 letters, "
                    "digits and _ . ~ - (for example from `openssl rand -hex 32`)"
                )
            digest = _digest(pair[2])
            if digest in digests:
                raise RuntimeError(f"API_TOKENS, entry {number}: the same token stands there twice")
            digests[digest] = pair[1]
        return cls(digests)

    def name_of(self, token: str) -> str | None:
        """Name the caller who has this token; None for a stranger.

        Every known token is compared, each in constant time, so that the time tells nothing.
        """
        presented = _digest(token)
        found = None
        for known, name in self.digests.items():
            if hmac.compare_digest(known, presented):
                found = name
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
