"""The web application around the handler. Knows nothing of Modal."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from . import handlers, logs


def create_app() -> FastAPI:
    """What Modal makes of `web` in modal_app.py, which is under `@modal.fastapi_endpoint(docs=True)`.

    One GET route at `/`, the documentation at `/docs`, and CORS open to every origin. Modal makes it
    inside the container only; this equivalent is for the local server and the tests.
    """
    logs.configure()
    app = FastAPI()
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
    )
    app.add_api_route("/", handlers.hello, name="web")
    return app
