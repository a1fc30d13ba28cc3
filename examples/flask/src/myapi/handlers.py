"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every route of `routes` becomes part of the application. Modal calls them from several threads at once, so
whatever requests share must not change, or needs a lock.
"""

from flask import Blueprint
from pydantic import BaseModel, Field

from .body import read_json

routes = Blueprint("routes", __name__)


class PredictRequest(BaseModel):
    text: str = Field(min_length=1, max_length=10_000)
    max_length: int = Field(default=100, ge=1, le=1_000, description="Most words in the result")


@routes.get("/")
def home() -> dict[str, str]:
    return {"message": "Hello from Flask!"}


@routes.post("/predict")
def predict() -> dict[str, str | int]:
    body = read_json(PredictRequest)
    words = body.text.split()[: body.max_length]
    return {"result": " ".join(words), "tokens": len(words)}


def is_ready() -> bool:
    """Tell `/ready` whether requests can be answered now: a database is reachable, a cache is warm."""
    return True
