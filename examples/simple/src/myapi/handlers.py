"""What this endpoint does. Yours: the template never changes this file after it wrote it.

The parameters of `hello` are the query string, its return type is the JSON answer.
"""

import logging
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

log = logging.getLogger(__name__)


class Greeting(BaseModel):
    message: str


# A plain `def` runs in a thread and may block; make it `async def` if you await something.
def hello(name: Annotated[str, Query(min_length=1, max_length=100)] = "World") -> Greeting:
    log.info("greeting", extra={"length": len(name)})
    return Greeting(message=f"Hello, {name}!")
