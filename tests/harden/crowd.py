"""A thousand sockets at once: no message lost, doubled or out of order, one too many refused, and an end in good order."""

import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harden import crowd_checks
from harden.crowd_checks import Crowd, Seen
from harden.crowd_mutants import CODE, MUTANTS
from harden.report import Options, Row, judged
from harden.service import APP, Service, render, served, stand_in

STYLE = "websocket"
ROOM = 50
CROWD = {
    "MAX_CONNECTIONS": "2000",
    "MESSAGES_PER_SECOND": "1000000",
    "MESSAGE_BURST": "1000000",
    # On a busy machine a thousand clients are slow readers, and slow to say anything.
    "SEND_SECONDS": "120",
    "IDLE_SECONDS": "600",
}
SMALL = Crowd(clients=20, messages=50)


@dataclass(frozen=True)
class Check:
    """What is checked, and the environment that it takes."""

    what: str
    see: Callable[[Service, Crowd], Seen]
    environment: dict[str, str]


ECHO = Check("every message once", crowd_checks.echo, CROWD)
LIMIT = Check("one too many", crowd_checks.limit, CROWD | {"MAX_CONNECTIONS": str(ROOM)})
END = Check("SIGTERM amid traffic", crowd_checks.end, CROWD)
CHECKS = (ECHO, LIMIT, END)


def run(options: Options) -> Iterator[Row]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    crowd = Crowd(clients=1000, messages=100) if options.full else Crowd(clients=200, messages=25)
    project = render(options, "crowd", style=STYLE, auth="bearer")
    for check in CHECKS:
        size = Crowd(ROOM, 1) if check is LIMIT else crowd
        with served(project, **check.environment) as service:
            seen = check.see(service, size)
        failures = tuple(seen.failures)
        yield Row("crowd", check.what, len(seen.cases), seen.least, failures, seen.outcome)
    yield mutants(options, CHECKS)


def mutants(options: Options, checks: Sequence[Check]) -> Row:
    """Servers with a fault each, of which one check must speak, and one without."""
    said = {}
    for name, (setting, number, words) in options.some(MUTANTS.items()):
        project = stand_in(options, f"crowd-{name}", CODE, setting)
        check = checks[number]
        with served(project, command=APP, **check.environment) as service:
            seen = check.see(service, Crowd(ROOM, 1) if check is LIMIT else SMALL)
        said[name] = "; ".join(seen.failures), words
    return judged("crowd", said)
