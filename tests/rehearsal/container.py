"""One container: a folder with what was mounted, an environment with what was asked for, the real entrypoint."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from modal_proto import api_pb2

from . import image, inside
from .deploy import WARNINGS
from .plane import Deployment
from .worker import Worker

INSIDE = Path(__file__).with_name("inside.py")
END_SECONDS = 30  # what Modal gives exit handlers
LISTEN_SECONDS = 5  # to listen once it is ready: a start waits for its port
# Modal's proxy before a server logs an error of its own when a client leaves in the middle of an answer.
CLIENT_LEFT = re.compile(
    r'^\{.*"logger": "asyncio".*_proxy_http_request\.<locals>\.send_response\(\).*ClientPayloadError.*$',
    re.MULTILINE,
)


class ContainerError(AssertionError):
    """It did not start, did not answer, or did not end as it should; the message says why and what it printed."""


def main_function(app: Deployment) -> str:
    """The name of the one function or class of an app that answers requests.

    Raises:
        ContainerError: when there is none, or more than one.
    """
    names = [name for name, key in app.function_ids.items() if is_web(app.functions[key])]
    if len(names) != 1:
        raise ContainerError(f"not one function that answers requests: {names}")
    return names[0]


def is_web(function: api_pb2.Function) -> bool:
    return bool(function.is_server or function.webhook_config.type or web_method(function))


def web_method(function: api_pb2.Function) -> str:
    """The name of a class's web method; empty for a function."""
    methods = function.method_definitions.items()
    return next((name for name, method in methods if method.webhook_config.type), "")


@dataclass
class Container:
    """A process of Modal's container runtime, and what it lives in.

    folder/root: its working folder. folder/log: what it printed. folder/modules.json: written when it ends.
    """

    folder: Path
    worker: Worker
    built: image.Image
    process: subprocess.Popen[bytes]
    function: api_pb2.Function

    @property
    def address(self) -> tuple[str, int]:
        """Where a Modal Server is reached."""
        return inside.ADDRESS, self.function.http_config.port

    @classmethod
    def start(
        cls,
        app: Deployment,
        name: str,
        folder: Path,
        *,
        files: Mapping[str, bytes],
        worker: Worker,
        worker_url: str,
        built: image.Image,
        client: Path,
        volumes: Mapping[str, Path],
        extra: Mapping[str, str],
    ) -> "Container":
        """Start a function, class or server of an app, by its name, in a new folder.

        Args:
            files: contents of mounted files, by SHA-256.
            client: the folder with Modal's client.
            volumes: folders that stand for Volumes, by mount point.
            extra: variables that override the deployed ones.
        """
        key = app.function_ids[name]
        function = api_pb2.Function()
        function.CopyFrom(app.functions[key])
        function.is_checkpointing_function = function.checkpointing_enabled
        root = folder / "root"
        for each in (root, folder / "tmp"):
            each.mkdir(parents=True)
        for mount in function.mount_ids:
            for path, digest in app.mounts.get(mount, {}).items():
                target = folder / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(files[digest])
        arguments = api_pb2.ContainerArguments(
            task_id="ta-1",
            function_id=key,
            app_id=app.app_id,
            function_def=function,
            environment_name=app.environment,
            app_layout=app.layout(),
            checkpoint_id="ch-1" if function.checkpointing_enabled else "",
        )
        (folder / "arguments").write_bytes(arguments.SerializeToString())
        environment = {
            "PATH": os.pathsep.join([str(built.python.parent), os.defpath]),
            "HOME": str(root),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(root),
            "MODAL_CONTAINER_ARGUMENTS_PATH": str(folder / "arguments"),
            "MODAL_SERVER_URL": worker_url,
            "MODAL_IS_REMOTE": "1",
            "PYTHONWARNINGS": WARNINGS,
            "MODAL_TASK_ID": "ta-1",
            "MODAL_ENVIRONMENT": app.environment,
        }
        if function.checkpointing_enabled:
            state = folder / "restore-state.json"
            environment |= {
                "MODAL_ENABLE_SNAP_RESTORE": "1",
                "MODAL_RESTORE_STATE_PATH": str(state),
            }
            worker.restored = (folder / "restored", state)
            worker.restored[0].write_text(json.dumps({"task_id": "ta-2"}))
        for secret in function.secret_ids:
            environment |= app.secrets[secret].values
        for (
            mounted
        ) in function.volume_mounts:  # a variable that names a mount point follows it here
            here = volumes.get(mounted.mount_path, folder / mounted.mount_path.lstrip("/"))
            here.mkdir(parents=True, exist_ok=True)
            environment = {
                name: str(here) if value == mounted.mount_path else value
                for name, value in environment.items()
            }
        command: list[str | Path] = [
            built.python,
            "-P",
            INSIDE,
            folder / "modules.json",
            *built.path(client),
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=root,
                env={**environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return cls(folder, worker, built, process, function)

    @property
    def printed(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def account(self) -> str:
        """What it has to say when something went wrong: how it ended, the failed requests, what it printed."""
        code = self.process.poll()
        ended = [] if code is None else [f"the container ended with exit code {code}"]
        return "\n".join([*ended, *self.worker.failed_inputs, self.printed])

    def stacks(self) -> str:
        """What it printed, after it was told to print where each thread stands."""
        before = len(self.printed)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR2)
            deadline = time.monotonic() + 2
            while len(self.printed) == before and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
        return self.printed

    def await_ready(self, seconds: float) -> None:
        """Return when it takes requests.

        Raises:
            ContainerError: when it ends, fails, is not ready in time, or is ready and does not listen.
        """
        self._await(self.worker.ready.is_set, seconds, f"not ready after {seconds:g} seconds")
        if self.function.is_server:
            silent = f"it is ready, and nothing listens on {self.address}"
            self._await(self._listens, LISTEN_SECONDS, silent)

    def _await(self, true: Callable[[], bool], seconds: float, late: str) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            ended = self.process.poll() is not None
            if ended or self.worker.failed_start or time.monotonic() > deadline:
                why = self.worker.failed_start or ("it ended" if ended else late)
                printed = self.printed if ended or self.worker.failed_start else self.stacks()
                raise ContainerError(f"the container did not start: {why}\n{printed}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(self.address, timeout=1).close()
            return True
        return False

    def await_end(self, faults: bool = False) -> int:
        """Wait for the end, which somebody has asked for; look back on the whole life.

        Args:
            faults: whether it may have printed a traceback.

        Returns:
            How many of the project's modules it had loaded; all that they import is in the lock file.

        Raises:
            ContainerError: when it does not end in time, or anything went wrong on the way.
            image.ImageError: when the image lacks a package.
        """
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            why = f"it did not end within {END_SECONDS} seconds"
            raise ContainerError(f"{why}\n{self.stacks()}") from None
        _, left = psutil.wait_procs(self.processes(), timeout=1)
        problems = {
            "exit code": code,
            "left behind": left,
            "it failed": self.worker.failed_start,
            "requests failed": self.worker.failed_inputs,
            "its server could not be reached": self.worker.asked_to_stop,
            "calls that the rehearsal does not know": self.worker.unknown,
        }
        found = [f"{what}: {value}" for what, value in problems.items() if value]
        if not faults and "Traceback" in CLIENT_LEFT.sub("", self.printed):
            found.append("it printed a traceback")
        if found:
            raise ContainerError("\n".join([*found, self.printed]))
        modules = json.loads((self.folder / "modules.json").read_text())
        return image.check_imports(self.built, self.folder / "root", modules)

    def processes(self) -> list[psutil.Process]:
        """All that run in its folder, whoever their parent is by now."""
        root = str(self.folder / "root")
        return [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == root]

    def kill(self) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.kill()
        self.process.wait()
