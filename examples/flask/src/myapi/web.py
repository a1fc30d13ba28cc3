"""The web application around the handlers. Knows nothing of Modal."""

from wsgiref.types import WSGIApplication

from flask import Flask, json
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from . import handlers, logs
from .middleware import Cors, Limits, RequestContext
from .settings import Settings


def create_app() -> Flask:
    settings = Settings()
    logs.configure(settings.log_level)
    app = Flask(__name__, static_folder=None)
    # An unforeseen error goes up to RequestContext, which logs it once and answers in JSON.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(HTTPException, as_json)
    app.register_blueprint(handlers.routes)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/ready")
    def ready() -> tuple[dict[str, str], int]:
        if handlers.is_ready():
            return {"status": "ready"}, 200
        return {"status": "not ready"}, 503

    wsgi_app: WSGIApplication = Limits(
        app.wsgi_app,
        hosts=settings.enforced_hosts,
        max_body_bytes=settings.max_body_bytes,
        max_in_flight=settings.max_in_flight,
    )
    # CORS outermost, so that a browser can read errors too.
    app.wsgi_app = Cors(RequestContext(wsgi_app), settings.cors_origins)  # type: ignore[method-assign]
    return app


def as_json(error: HTTPException) -> Response:
    response = error.get_response()
    # Only a description of one's own: the default ones explain a web page to its reader.
    detail = vars(error).get("description") or error.name
    response.data = json.dumps({"detail": detail})
    response.content_type = "application/json"
    return response
