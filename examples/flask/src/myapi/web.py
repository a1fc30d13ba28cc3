"""The web application around the handlers. Knows nothing of Modal."""

from wsgiref.types import WSGIApplication

from flask import Flask, json
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from . import handlers, logs
from .middleware import BodyLimit, RequestContext
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

    wsgi_app: WSGIApplication = BodyLimit(app.wsgi_app, settings.max_body_bytes)
    app.wsgi_app = RequestContext(wsgi_app)  # type: ignore[method-assign]
    return app


def as_json(error: HTTPException) -> Response:
    response = error.get_response()
    # Only a description of one's own: the default ones explain a web page to its reader.
    detail = vars(error).get("description") or error.name
    response.data = json.dumps({"detail": detail})
    response.content_type = "application/json"
    return response
