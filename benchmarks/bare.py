"""The starters' routes in a bare application, without anything that the template puts around them.

python -m benchmarks.bare fastapi|flask PORT
"""

import sys
from typing import Any

import uvicorn


def fastapi() -> Any:
    from fastapi import FastAPI
    from myapi import handlers

    app = FastAPI()
    app.include_router(handlers.router)
    return app


def flask() -> Any:
    from a2wsgi import WSGIMiddleware
    from flask import Flask
    from myapi import handlers

    app = Flask("bare")
    app.register_blueprint(handlers.routes)
    return WSGIMiddleware(app)  # type: ignore[arg-type]


def main() -> None:
    kind, port = sys.argv[1:]
    app = {"fastapi": fastapi, "flask": flask}[kind]()
    # As the rendered serve.py does.
    uvicorn.run(app, port=int(port), log_config=None, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
