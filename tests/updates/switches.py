"""Which answers change in a project that exists: each question alone, and each style to each other and back."""

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import family

# Another value for each question that is asked, valid wherever it is asked; tests/test_public.py holds it against copier.yml.
OTHERS: dict[str, list[object]] = {
    "project_name": ["Zoë's API (2)"],
    "tune": [True],
    "project_slug": ["another-app"],
    "package_name": ["another"],
    "description": ['Says "hi": C:\\new # 100 % of it'],
    "user_name": ["Zoë Ng"],
    "user_email": ["zoe@example.com"],
    "auth": ["proxy", "bearer", "login", "none"],
    "requests_per_minute": [60],
    "custom_domain": ["api.example.com"],
    "enforce_domain": [True],
    "gpu": ["H100:2, A100", "none", "H100:2"],
    "model_id": ["owner/model"],
    "model_revision": ["v2"],
    "server_command": ["caddy run --port $PORT"],
    "server_kind": ["server"],
    "routing_region": ["eu-west"],
    "server_port": [9000],
    "license": ["apache-2.0", "proprietary"],
    "python_version": ["3.11"],
    "ci": ["none", "gitlab"],
    "min_containers": [1],
    "buffer_containers": [2],
    "max_containers": [20],
    "scaledown_window": [120],
    "max_inputs": [300],
    "target_inputs": [3],
    "timeout": [1000],
    "startup_timeout": [500],
    "cpu": [2.5],
    "memory": [3000],
    "region": ["eu, us-east"],
    "memory_snapshot": [True, False],
    "gpu_snapshot": [True],
}
# Answers without which a question is not asked.
WITH: dict[str, tuple[tuple[str, object], ...]] = {
    "requests_per_minute": (("auth", "bearer"),),
    "enforce_domain": (("custom_domain", "api.example.com"),),
    "routing_region": (("server_kind", "server"),),
}


@dataclass(frozen=True)
class Switch:
    """From a project of one kind, these answers are given to an update."""

    kind: str
    data: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        return f"{self.kind}, {' '.join(f'{name}={value}' for name, value in self.data)}"


@functools.cache
def answers() -> Sequence[Switch]:
    """Each question alone, in each kind that asks it and takes the answer."""
    return [
        Switch(kind, data)
        for kind, given in family.choices().items()
        for name, values in OTHERS.items()
        for data in ((*WITH.get(name, ()), (name, value)) for value in values)
        if family.accepts({**given, "tune": True, **dict(data)})
    ]


def pairs() -> Iterator[Switch]:
    """Each kind to each other; whoever tries one goes back as well."""
    for kind in family.choices():
        for other, given in family.choices().items():
            if other != kind:
                yield Switch(kind, tuple(given.items()))


def sample(switches: Sequence[Switch]) -> list[Switch]:
    """A part that has all the data there is, each with one kind to start from; the kinds take turns."""
    by_data: dict[tuple[tuple[str, object], ...], dict[str, Switch]] = {}
    for switch in switches:
        by_data.setdefault(switch.data, {})[switch.kind] = switch
    order = deque(family.choices())
    chosen = []
    for options in by_data.values():
        chosen.append(next(options[kind] for kind in order if kind in options))
        order.rotate(-1)
    return chosen
