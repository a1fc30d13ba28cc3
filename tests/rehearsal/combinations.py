"""Every combination of answers, and each kind with free answers instead of defaults: deployed, and held to its promises.

What cannot change a deployment (a licence, an author, settings of a linter) does not cause another one: projects
that share all the rest are deployed once, and each of them is held against that.
"""

import hashlib
import json
import multiprocessing
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import family
import fast_copier
import locks
import matrix
import slices

from . import promise
from .stage import Stage

# Files that people have in a project and that must not be deployed with it; PACKAGE is its package.
LITTER = (
    ".env",
    ".git/HEAD",
    "PACKAGE/.env",
    "PACKAGE/__pycache__/web.cpython-313.pyc",
    "notes.txt",
)

# No number at its default, and no two alike, so that a pair that was mixed up shows.
TUNED: tuple[family.Answers, ...] = (
    {
        "project_name": "Größe & Co. (1)",
        "tune": True,
        "project_slug": "one-app",
        "package_name": "one_package",
        "description": 'It says "hello"; {{ nothing }} else.',
        "user_name": "Ann O'Hara",
        "user_email": "ann@example.com",
        "custom_domain": "api.example.com",
        "enforce_domain": True,
        "gpu": "H100:2, A100",
        "model_id": "owner/model-1b",
        "model_revision": "v1.0",
        "server_command": "python -m http.server $PORT --bind $HOST",
        "server_port": 9123,
        "license": "proprietary",
        "python_version": "3.11",
        "ci": "none",
        "min_containers": 2,
        "buffer_containers": 3,
        "max_containers": 7,
        "scaledown_window": 91,
        "max_inputs": 23,
        "target_inputs": 17,
        "timeout": 777,
        "startup_timeout": 444,
        "cpu": 1.5,
        "memory": 2345,
        "region": "eu, uk",
        "memory_snapshot": True,
    },
    {
        "project_name": "Two",
        "project_slug": "one-app",  # one name, so that both can have one lock file
        "package_name": "app_of_two",
        "custom_domain": "*.example.org",
        "requests_per_minute": 70,
        "gpu": "none",
        "server_port": 1025,
        "license": "apache-2.0",
        "python_version": "3.14",
        "min_containers": 4,
        "buffer_containers": 6,
        "max_containers": 5,
        "scaledown_window": 3599,
        "max_inputs": 12,
        "target_inputs": 8,
        "timeout": 86399,
        "startup_timeout": 13,
        "cpu": 0.125,
        "memory": 129,
        "region": "us-east-1",
        "memory_snapshot": False,
    },
)


# What an engine needs otherwise, and what a model that reads texts does.
ENGINE: tuple[family.Answers, family.Answers] = (
    {"gpu": "H100:2, A100:2"},
    {"gpu": "L4", "gpu_snapshot": True},
)
ENCODER: tuple[family.Answers, family.Answers] = ({"gpu": "H100, A100"}, {})
NOTHING: tuple[family.Answers, family.Answers] = ({}, {})


@dataclass
class Group:
    """Answers whose projects deploy alike: one project, and the table that its lock file comes from."""

    tree: matrix.Tree
    resolved: str
    answers: list[family.Answers] = field(default_factory=list)


@dataclass
class Result:
    combinations: int  # and projects beside the matrix
    deployments: int
    renders: int  # those that no other proof had kept
    locks: int
    render_seconds: float
    lock_seconds: float
    promises: int = 0
    deploy_seconds: float = 0  # of all deployments together
    check_seconds: float = 0


def tuned() -> Iterator[family.Answers]:
    """Two projects of each kind with free answers instead of defaults: behind Modal's proxy, and otherwise.

    And one more where it can be a Modal Server.
    """
    for chosen in family.choices().values():
        facts = family.known(chosen)["facts"]
        other = next(auth for auth in facts["auth"] if auth != "proxy")
        for auth, wide in zip(("proxy", other), TUNED, strict=True):
            yield _possible(chosen | wide | {"auth": auth} | _gpus(facts)[auth != "proxy"])
    for number, answers in enumerate(family.servers()):
        gpus = _gpus(family.known(answers)["facts"])[number % 2]
        own = {"custom_domain": "", "enforce_domain": False, "routing_region": "eu-west"}
        yield _possible(TUNED[number % 2] | gpus | answers | own)


def _gpus(facts: Mapping[str, object]) -> tuple[family.Answers, family.Answers]:
    return ENGINE if "engine" in facts else ENCODER if "encoder" in facts else NOTHING


def _possible(answers: family.Answers) -> family.Answers:
    """With the newest Python that the kind has, where it lacks this one."""
    pythons = family.offered("python_version", answers)
    is_offered = answers["python_version"] in pythons
    return answers if is_offered else answers | {"python_version": pythons[-1]}


def deploy_all(
    stage: Stage,
    template: Path,
    folder: Path,
    choose: Callable[[family.Answers], bool] = lambda _: True,
) -> Result:
    """Deploy each distinct project of the whole matrix, and of `tuned`, and check the promises of all.

    Of both it takes the slice, where one is chosen.

    Args:
        template: the family, as `family.export` leaves it.
        folder: for what is rendered; an empty one, or none yet.
        choose: says which answers to take; all, if it is not given.

    Raises:
        AssertionError: at the first that does not deploy or breaks a promise, with its answers; when the control
            plane was asked what it does not know; when there were too few combinations for this to prove anything.
    """
    every = family.combinations()
    assert len(every) >= matrix.LEAST_COMBINATIONS, "too few combinations"
    combinations = [answers for answers in every if choose(answers)]
    beside = slices.of_each([answers for answers in tuned() if choose(answers)], family.kind)
    started = time.monotonic()
    store = matrix.Store(folder / "store")
    store.folder.mkdir(parents=True)
    new, trees = _render_all(template, store, [*combinations, *beside])
    groups = _group(store, trees)
    if combinations == every:
        assert len(groups) - len(beside) >= matrix.LEAST_PACKAGES, "too few distinct packages"
    tuned_ones = [group for group in groups if group.answers[0] in beside]
    others = [group for group in groups if group.answers[0] not in beside]
    groups = slices.of_each(others, lambda group: family.kind(group.answers[0])) + tuned_ones
    rendered = time.monotonic()
    lock_files = _lock({group.resolved: group.tree for group in groups}, store, folder / "locks")
    result = Result(
        combinations=sum(len(group.answers) for group in groups),
        deployments=len(groups),
        renders=new,
        locks=len(lock_files),
        render_seconds=rendered - started,
        lock_seconds=time.monotonic() - rendered,
    )
    for number, group in enumerate(family.counted(groups, len(groups), "deployed"), start=1):
        with tempfile.TemporaryDirectory(dir=folder) as project:
            store.put(group.tree, Path(project))
            Path(project, "uv.lock").write_bytes(lock_files[group.resolved])
            _deploy(stage, group, Path(project), f"deployment-{number}", result)
    assert not stage.plane.unknown, (
        f"calls that the control plane does not know: {stage.plane.unknown}"
    )
    return result


def _render_all(
    template: Path, store: matrix.Store, every: Sequence[family.Answers]
) -> tuple[int, list[tuple[family.Answers, matrix.Tree]]]:
    """How many had to be rendered, and the files of all."""
    kept = {json.dumps(answers): tree for answers, tree in matrix.kept(template, store)}
    tasks = [
        (template, store.folder, answers) for answers in every if json.dumps(answers) not in kept
    ]
    # Not forked: this process has the stage's threads.
    with multiprocessing.get_context("spawn").Pool(initializer=fast_copier.install) as pool:
        rendered = pool.imap(_render, tasks, chunksize=4)
        trees = iter(list(family.counted(rendered, len(tasks), "rendered")))
    return len(tasks), [
        (answers, kept.get(json.dumps(answers)) or next(trees)) for answers in every
    ]


def _render(task: tuple[Path, Path, family.Answers]) -> matrix.Tree:
    template, store, answers = task
    with tempfile.TemporaryDirectory() as folder:
        return matrix.Store(store).take(family.render(template, Path(folder), answers))


def _group(
    store: matrix.Store, rendered: Iterable[tuple[family.Answers, matrix.Tree]]
) -> list[Group]:
    """Put those projects together that deploy alike."""
    groups: dict[str, Group] = {}
    for answers, tree in rendered:
        resolved = locks.resolved(tomllib.loads(store.read(tree["pyproject.toml"]).decode()))
        sources = sorted(item for item in tree.items() if item[0].startswith("src/"))
        key = resolved + json.dumps(sources)
        groups.setdefault(key, Group(tree, resolved)).answers.append(answers)
    return list(groups.values())


def _lock(projects: dict[str, matrix.Tree], store: matrix.Store, folder: Path) -> dict[str, bytes]:
    """The lock file of each of these projects, by `uv lock`."""

    def lock(tree: matrix.Tree) -> bytes:
        pyproject = store.read(tree["pyproject.toml"])
        project = folder / hashlib.sha256(pyproject).hexdigest()
        project.mkdir(parents=True)
        (project / "pyproject.toml").write_bytes(pyproject)
        locks.lock(project)
        return (project / "uv.lock").read_bytes()

    with ThreadPoolExecutor(max_workers=2) as pool:
        files = family.counted(pool.map(lock, projects.values()), len(projects), "locked")
        return dict(zip(projects, files, strict=True))


def _deploy(stage: Stage, group: Group, project: Path, name: str, result: Result) -> None:
    """Deploy a project among litter, and check the promises of all that deploy alike; add to the result."""
    known = family.known(group.answers[0])
    slug, package = known["project_slug"], known["package_name"]
    for path in LITTER:
        litter = project / path.replace("PACKAGE", f"src/{package}")
        litter.parent.mkdir(parents=True, exist_ok=True)
        litter.write_text("SECRET=1\n")
    stage.plane.secrets[name, slug] = dict.fromkeys(promise.keys(known), "x")
    answers = group.answers[0]
    try:
        started = time.monotonic()
        app = stage.deploy(project, package, name)
        deployed = time.monotonic()
        for answers in group.answers:
            result.promises += promise.check(app, answers, project)
    except AssertionError as error:
        raise AssertionError(f"{error}\nThe answers: {answers}") from error
    result.deploy_seconds += deployed - started
    result.check_seconds += time.monotonic() - deployed
