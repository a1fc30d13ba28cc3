"""Everything together: deploy a project, and run what was deployed behind a URL."""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from . import deploy, image
from .calls import Calls
from .container import Container, ContainerError, main_function, web_method
from .edge import Edge, Server
from .plane import ControlPlane, Deployment
from .worker import Worker

T = TypeVar("T")
CONTAINERS = 64  # at once, at most


@dataclass
class Served:
    """A container that answers at `url`."""

    url: str
    container: Container
    edge: Edge
    modules: int = 0  # how many of the project's it had loaded in the end


class Stage:
    """A control plane, and any number of containers. A context manager; nothing is left of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stage-")).resolve()
        self.plane = ControlPlane()
        self.calls = Calls(self.plane.retry_policy)
        self._loop = asyncio.new_event_loop()
        # One waits for the end of each container, and several that wait for one another's.
        self._loop.set_default_executor(ThreadPoolExecutor(CONTAINERS))
        self._numbers = itertools.count(1)
        self._building = threading.Lock()
        threading.Thread(target=self._loop.run_forever, name="stage", daemon=True).start()
        self.url = self._do(self.plane.listen(str(self.folder / "plane.sock")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self.plane.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        shutil.rmtree(self.folder)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def deploy(self, project: Path, package: str, name: str) -> Deployment:
        """Deploy by the real client, forked from a warm process; `name` is the Modal Environment."""
        deploy.fork(project, package, self.url, name)
        return self.plane.deployments[name]

    def command(self, project: Path, commands: str, name: str) -> str:
        """Run shell commands of the README, `uv run modal …` among them; return what they print."""
        return deploy.command(project, commands, self.url, name)

    @contextlib.contextmanager
    def served(
        self,
        app: Deployment,
        *,
        function: str = "",
        seconds: float = 90,
        volumes: Mapping[str, Path] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Iterator[Served]:
        """Run a container of an app; end it on the way out, and judge its whole life.

        Args:
            function: its name in the app, where more than one answers requests.
            seconds: how long it may take to start.
            volumes: folders that stand for Volumes, by mount point.
            extra: variables that override the deployed ones.

        Raises:
            ContainerError: when it does not start, when a request fails, when it does not end cleanly.
            ImageError: when the image lacks something.
        """
        name = function or main_function(app)
        with self._container(app, name, volumes or {}, extra or {}) as container:
            worker = container.worker
            edge = Edge(worker)
            server = Server(edge)
            serving = asyncio.run_coroutine_threadsafe(server.run_until_told(), self._loop)
            address = "{}:{}".format(*container.address)
            url = f"http://{address}" if container.function.is_server else server.url
            served = Served(url, container, edge)
            try:
                container.await_ready(seconds)
                try:
                    yield served
                except Exception as error:  # of whoever asks; only the container knows why
                    raise ContainerError(f"{error}\n{container.account()}") from error
                if container.function.is_server:
                    container.process.terminate()
                else:
                    self._loop.call_soon_threadsafe(worker.stop)
                served.modules = container.await_end()
            finally:
                container.kill()  # first: the edge waits for who waits for it
                server.should_exit = True
                serving.result()

    @contextlib.contextmanager
    def working(
        self, app: Deployment, function: str, *, count: int = 2, faults: bool = False
    ) -> Iterator[list[Container]]:
        """Run containers of a function that is called by `.spawn()`; end them on the way out, and judge those still there.

        Args:
            count: of containers.
            faults: whether it may print tracebacks.

        Raises:
            ContainerError: when one does not start, or does not end cleanly.
            ImageError: when the image lacks something.
        """
        with contextlib.ExitStack() as stack:
            containers = [
                stack.enter_context(self._container(app, function, {}, {})) for _ in range(count)
            ]
            for container in containers:
                container.await_ready(90)
            try:
                yield containers
            except Exception as error:
                said = "\n".join(container.account() for container in containers)
                raise ContainerError(f"{error}\n{said}") from error
            left = [container for container in containers if container.process.poll() is None]
            for container in left:
                self._loop.call_soon_threadsafe(container.worker.stop)
            for container in left:
                container.await_end(faults)

    @contextlib.contextmanager
    def _container(
        self,
        app: Deployment,
        name: str,
        volumes: Mapping[str, Path],
        extra: Mapping[str, str],
    ) -> Iterator[Container]:
        """A container of this function, which is killed on the way out if it is still there."""
        definition = app.functions[app.function_ids[name]]
        with self._building:
            built = image.build(app.chain(definition.image_id), self.folder / "images")
            client = image.client_folder(self.folder / "client")
        folder = self.folder / f"container-{next(self._numbers)}"
        folder.mkdir()
        worker = Worker(web_method(definition), self.calls)
        container = Container.start(
            app,
            name,
            folder,
            files=self.plane.files,
            worker=worker,
            worker_url=self._do(worker.listen(str(folder / "worker.sock"))),
            built=built,
            client=client,
            volumes=volumes,
            extra=extra,
        )
        watching = asyncio.run_coroutine_threadsafe(worker.watch(container.process), self._loop)
        try:
            yield container
        finally:
            container.kill()
            watching.result()
            self._do(worker.close())
