"""The web application around the page: health, limits, login. Knows nothing of Modal.

Runs as a process of its own: `python -m myapi.web`
"""

import os

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from . import handlers, logs
from .login import Users


def create_app() -> FastAPI:
    users = Users.from_env()
    app = FastAPI(openapi_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    app.add_middleware(BehindTls)
    with gr.Blocks(
        title="myapi",
        analytics_enabled=False,
    ) as blocks:
        handlers.page()
    # https://www.gradio.app/guides/queuing
    blocks.queue(
        max_size=100,
        default_concurrency_limit=10,  # of each function, in threads
        api_open=False,  # nobody passes by the queue
    )
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        auth=users.accept,
        max_file_size="20mb",  # the route for uploads is there, whether the page has one or not
        show_error=False,  # gr.Error is shown, a traceback is not
        enable_monitoring=False,  # its summary is open to everybody
    )
    return app


class BehindTls:
    """Says https to Gradio, which puts absolute URLs into its answers, where Modal ended the TLS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        # Modal's proxy names the caller, and not the scheme.
        if b"x-forwarded-for" in names and b"x-forwarded-proto" not in names:
            scope["scheme"] = "https"
        await self.app(scope, receive, send)


def main() -> None:
    logs.configure(os.environ.get("LOG_LEVEL", "INFO"))
    uvicorn.run(
        create_app(),
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8000")),
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
