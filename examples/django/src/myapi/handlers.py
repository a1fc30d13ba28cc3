"""What this endpoint does. Yours: the template never changes this file after it wrote it.

Every path in `urlpatterns` becomes part of the application. Modal calls the views from several threads at
once, so whatever requests share must not change, or needs a lock.
"""

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST, require_safe
from pydantic import BaseModel, Field

from .body import read_json


class PredictRequest(BaseModel):
    text: str = Field(min_length=1, max_length=10_000)
    max_length: int = Field(default=100, ge=1, le=1_000, description="Most words in the result")


@require_safe
def home(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": "Hello from Django!"})


@require_POST
def predict(request: HttpRequest) -> JsonResponse:
    body = read_json(request, PredictRequest)
    words = body.text.split()[: body.max_length]
    return JsonResponse({"result": " ".join(words), "tokens": len(words)})


urlpatterns = [
    path("", home),
    path("predict", predict),
]


def is_ready() -> bool:
    """Tell `/ready` whether requests can be answered now: a database is reachable, a cache is warm."""
    return True
