"""Bearer tokens as a FastAPI dependency."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from . import logs
from .auth import Tokens

Credentials = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="One of the tokens in API_TOKENS")),
]


def bearer(tokens: Tokens) -> Callable[[Credentials], Awaitable[str]]:
    """A dependency that passes requests with one of the tokens, and answers 401 to all others.

    It returns the name of the caller, which also goes into the request's log lines.
    """

    async def name_caller(credentials: Credentials) -> str:
        name = tokens.name_of(credentials.credentials) if credentials else None
        if name is None:
            raise HTTPException(
                status_code=401,
                detail="Missing or unknown token",
                headers={"WWW-Authenticate": "Bearer"},
            )
        logs.caller.set(name)
        return name

    return name_caller
