"""Tokens that change while others work, and callers who ask too often."""

import secrets

import family
from harden.faults_kit import Answer, Fault, Trial, ask
from harden.service import Service, served

ENGINES = family.kinds_with("engine")
OLD, NEW = secrets.token_hex(32), secrets.token_hex(32)
# What each style is asked; a websocket says by GET what its handshake would be answered, an MCP server 405,
# and there is no such job.
PATHS = {"simple": "/", "api": "/items/1", "inference": "/v1/models", "flask": "/", "django": "/"}
PATHS |= {"websocket": "/ws", "mcp": "/mcp", "jobs": "/jobs/1"}
PATHS |= dict.fromkeys(ENGINES, "/v1/models")
STYLES = ("api", "flask", "simple", "websocket", "mcp", "jobs", "inference", "django", *ENGINES)


def rotated(trial: Trial) -> str:
    """A token is replaced: first beside the old one, then alone. Who has either is let in as long as it stands there."""
    steps = {
        f"me:{OLD}": (True, False),
        f"me:{OLD},me-2:{NEW}": (True, True),
        f"me-2:{NEW}": (False, True),
    }
    for style in trial.styles(*STYLES, quick=1):
        project = trial.project(style, auth="bearer")
        for number, (tokens, wanted) in enumerate(steps.items(), start=1):
            with served(project, API_TOKENS=tokens) as service, trial.case(f"{style} {number}"):
                let_in = tuple(called(service, style, each).status != 401 for each in (OLD, NEW))
                assert let_in == wanted, f"old and new are let in: {let_in}, wanted {wanted}"
    return "each token works from the step that adds it to the step that removes it; then 401"


def too_often(trial: Trial) -> str:
    """A token is used more often than REQUESTS_PER_MINUTE. It gets 429 with Retry-After, another one is served."""
    for style in trial.styles(*STYLES, quick=2):
        project = trial.project(style, auth="bearer", requests_per_minute=3)
        with served(project, API_TOKENS=f"ann:{OLD},bob:{NEW}") as service, trial.case(style):
            statuses = [called(service, style, OLD).status for _ in range(3)]
            assert 429 not in statuses, f"too early: {statuses}"
            late = called(service, style, OLD)
            assert late.status == 429, f"not 429: {late}"
            assert 1 <= int(late.headers["retry-after"]) <= 60, late.headers
            assert called(service, style, NEW).status != 429, "the other caller is held up"
    return "429 in JSON with Retry-After from the fourth request on; others are served"


def called(service: Service, style: str, token: str) -> Answer:
    return ask(service, PATHS[style], Authorization=f"Bearer {token}")


FAULTS = (
    Fault("token is replaced", 24, 3, rotated),
    Fault("caller asks too often", 8, 2, too_often),
)
