"""Runs in the container's own process, before Modal's entrypoint: gives it the network interface of a container.

    python -P inside.py MODULES FOLDER ...

MODULES: a file that gets, at the end, the name and file of each module. FOLDER: goes behind everything else on
the path.
"""

import atexit
import faulthandler
import fcntl
import json
import runpy
import signal
import socket
import sys
from pathlib import Path
from typing import Any

ADDRESS = (
    "127.0.0.2"  # of eth0; what listens on 127.0.0.1 alone cannot be reached here, as on Modal
)
SIOCGIFADDR = 0x8915

ioctl = fcntl.ioctl


def ioctl_of_a_container(file: Any, request: int, *arguments: Any) -> Any:
    if request == SIOCGIFADDR:
        return bytes(20) + socket.inet_aton(ADDRESS) + bytes(232)
    return ioctl(file, request, *arguments)


def note_modules(path: str) -> None:
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    Path(path).write_text(json.dumps({name: file for name, file in files.items() if file}))


if __name__ == "__main__":
    _, modules, *folders = sys.argv
    sys.path += folders
    sys.argv[1:] = []
    fcntl.ioctl = ioctl_of_a_container
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    atexit.register(note_modules, modules)
    runpy.run_module("modal._container_entrypoint", run_name="__main__", alter_sys=True)
