"""What the pipelines know of this project. All that may differ from project to project is here."""

import sys

APP = "myapi"
MODULE = "myapi.modal_app"
FUNCTION = "Server.web"  # the web function
# What CI tests on: the container's, and the lowest that requires-python in pyproject.toml allows.
PYTHONS = {"container": "3.13", "lowest": "3.11"}
AUTH = "proxy"  # which credentials the smoke test sends
# Of the Modal Secret that is named like the app.
SECRET_KEYS: list[str] = []
# What a new Environment must run once before it can serve; empty if nothing.
PREPARE = "myapi.modal_app::download_model"

# Stage -> Modal Environment. `main` is Modal's own: what you deployed by hand is there, under the same URL.
ENVIRONMENTS = {"staging": "staging", "production": "main"}
# In staging the containers of the version before end at once, so that the smoke test meets the new ones. In production
# they work on until new ones are up: https://modal.com/docs/guide/managing-deployments
STRATEGIES = {"staging": "recreate", "production": "rolling"}
# Only one app can have a domain: staging and previews would take it from production, so they are refused.
DOMAIN = ""

# The smoke test asks for this path until it is answered with this status, for so many seconds at most.
SMOKE_PATH = "/health"
SMOKE_STATUS = 200
SMOKE_PATIENCE = 1020
CLOSED_PATH = "/"  # without credentials it must answer 401

if __name__ == "__main__":
    print(PYTHONS[sys.argv[1]])
