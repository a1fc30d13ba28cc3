"""The web application around the handlers, and its URLs. Knows nothing of Modal."""

import logging
import os
from wsgiref.types import WSGIApplication

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

from . import handlers, logs
from .errors import Request
from .middleware import Cors, Limits, RequestContext

LEAST_SECRET = 32  # characters


def create_app() -> WSGIApplication:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")
    if len(settings.SECRET_KEY) < LEAST_SECRET:
        raise RuntimeError(
            f"DJANGO_SECRET_KEY: expected at least {LEAST_SECRET} characters "
            "(for example from `openssl rand -hex 32`)"
        )
    django = get_wsgi_application()
    django.request_class = Request
    logs.configure(settings.LOG_LEVEL)
    # Each 4xx stands in the access log; a stranger could fill it with tracebacks otherwise.
    logging.getLogger("django.request").setLevel("ERROR")
    logging.getLogger("django.security").setLevel("CRITICAL")
    app: WSGIApplication = Limits(
        django,
        hosts=settings.ENFORCED_HOSTS,
        max_body_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        max_in_flight=settings.MAX_IN_FLIGHT,
    )
    # CORS outermost, so that a browser can read errors too.
    return Cors(RequestContext(app), settings.CORS_ORIGINS)


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "healthy"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    if handlers.is_ready():
        return JsonResponse({"status": "ready"})
    return JsonResponse({"status": "not ready"}, status=503)


urlpatterns = [
    *handlers.urlpatterns,
    path("health", health),
    path("ready", ready),
]
