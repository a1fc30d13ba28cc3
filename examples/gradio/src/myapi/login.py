"""Who may log in, from the environment variable LOGIN_USERS (a Modal Secret).

Several `user:password` pairs, separated by commas.
"""

import hashlib
import hmac
import logging
import os
import re
from dataclasses import dataclass

PAIR = re.compile(r"([A-Za-z0-9._@-]{1,64}):([^\s,]{16,128})")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Users:
    """The SHA-256 digest of each user with the password."""

    digests: frozenset[bytes]

    @classmethod
    def from_env(cls) -> "Users":
        """Read LOGIN_USERS.

        Raises:
            RuntimeError: when it is missing, malformed, or names a user twice. The application must not
                start then: it would be open, or shut to everybody.
        """
        passwords: dict[str, str] = {}
        for number, item in enumerate(os.environ.get("LOGIN_USERS", "").split(","), start=1):
            pair = PAIR.fullmatch(item.strip())
            if not pair:
                raise RuntimeError(
                    f"LOGIN_USERS, entry {number}: expected user:password with a password of 16 to 128 "
                    "characters without blanks and commas (for example from `openssl rand -hex 16`)"
                )
            if pair[1] in passwords:
                raise RuntimeError(f"LOGIN_USERS, entry {number}: this user stands there twice")
            passwords[pair[1]] = pair[2]
        return cls(frozenset(_digest(*pair) for pair in passwords.items()))

    def accept(self, user: str, password: str) -> bool:
        """Tell whether this is one of the users; each is compared, in constant time."""
        presented = _digest(user, password)
        accepted = False
        for known in self.digests:
            accepted |= hmac.compare_digest(known, presented)
        # Not the name of a failed one: people type their password into the wrong field.
        log.info("login", extra={"user": user if accepted else None, "accepted": accepted})
        return accepted


def _digest(user: str, password: str) -> bytes:
    # No variable of the environment holds a NUL, so no other split of the same text fits.
    return hashlib.sha256(f"{user}\0{password}".encode("utf-8", "surrogatepass")).digest()
