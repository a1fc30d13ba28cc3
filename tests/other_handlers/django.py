"""Other paths, not ready yet, in the place of the starter's."""

from django.http import HttpRequest, JsonResponse
from django.urls import path


def square(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse({"square": number * number})


urlpatterns = [path("square/<int:number>", square)]


def is_ready() -> bool:
    return False
