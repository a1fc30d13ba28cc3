"""Every style with every auth, and every Modal Server, as its user has it."""

import itertools
import signal
from pathlib import Path

import pytest

import family
import projects
import slices
from projects import Project

# How a server is ended: the signal, how often it comes, and how the server was started.
End = tuple[signal.Signals, int, tuple[str, ...]]
ENDS: list[End] = [
    (signal.SIGINT, 1, ("--reload",)),
    *itertools.product((signal.SIGINT, signal.SIGTERM), (1, 100), [()]),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = metafunc.config.getoption("style")
    every = slices.of_each([*family.styles(), *family.servers()], family.stem)
    # Who may call changes nothing in how a server ends: the first of each kind, and of its Modal Servers.
    if "ends" in metafunc.fixturenames:
        every = list({(family.kind(each), _is_server(each)): each for each in every[::-1]}.values())
    chosen = [answers for answers in every if wanted in (None, family.kind(answers))]
    assert chosen, f"no such style: {wanted}"
    parameters = [  # each is made once, by one of the workers
        pytest.param(
            answers,
            id=family.identify(answers),
            marks=pytest.mark.xdist_group(family.identify(answers)),
        )
        for answers in chosen
    ]
    metafunc.parametrize("project", parameters, indirect=True, scope="module")


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> list[End]:
    """For each kind the way of the day and the hardest, and that one for a Modal Server, whose local server is the same."""
    *others, hardest = ENDS
    is_server = _is_server(request.node.callspec.params["project"])
    return [hardest] if is_server else [*slices.some(others), hardest]


def _is_server(answers: family.Answers) -> bool:
    return answers.get("server_kind") == "server"


@pytest.fixture(scope="session")
def made() -> dict[str, Project]:
    """Those of this worker: it may come to the tests of one project in two goes."""
    return {}


@pytest.fixture(scope="module")
def project(
    request: pytest.FixtureRequest,
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    made: dict[str, Project],
) -> Project:
    name = family.identify(request.param)
    if name not in made:
        folder = family.render(template, tmp_path_factory.mktemp("project"), request.param)
        made[name] = Project(folder)
        made[name].install()
    return made[name]


def test_its_own_checks_pass_and_what_is_deployed_imports_in_silence(
    project: Project, request: pytest.FixtureRequest
) -> None:
    if family.is_like_behind_the_proxy(request.node.callspec.params["project"]):
        projects.check_own(project, "tests/test_modal_app.py")  # all else is as behind the proxy
        return
    projects.check_suite(project)
    projects.check_import(project)


def test_the_documented_calls_answer_as_documented(project: Project) -> None:
    projects.check_calls(project)


def test_it_ends_cleanly_and_says_in_one_line_what_port_is_taken(
    project: Project, ends: list[End]
) -> None:
    for number, times, options in ends:
        projects.check_end(project, number, times, options)
    projects.check_taken_port(project)
