"""A project's command line, given to the engine's own parser: by hand, where the engine can be imported.

    PYTHONPATH=WHEEL:PROJECT/src python tests/engines/parse.py vllm

WHEEL is the unpacked wheel, with the packages that it imports; neither a GPU nor CUDA is needed. An option that is
misspelt, or a value that is none, ends it as it would end the engine; else it prints what the engine understood.
"""

import argparse
import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

# Libraries of SGLang that need a GPU, or the CUDA build of torch, before they can be imported.
ABSENT = {"flashinfer", "sgl_kernel", "torchvision"}


def main() -> None:
    settings = importlib.import_module("myapi.settings").Settings()
    command = importlib.import_module("myapi.command")
    words = command.arguments(settings, Path("/weights"), "127.0.0.1", 8000)
    given = PARSERS[sys.argv[1]](words)
    named = [word.partition("=")[0] for word in words if word.startswith("--")]
    for name in named:
        print(name, getattr(given, name[2:].replace("-", "_")))


class Absent(MetaPathFinder, Loader):
    """Has something of every name in the libraries that are absent."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        is_absent = name.partition(".")[0] in ABSENT
        return ModuleSpec(name, self, is_package=True) if is_absent else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: Any = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__version__ = [], spec, "0"
        return module  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        """Nothing."""


def let_be_absent() -> None:
    sys.meta_path.append(Absent())


def vllm(words: list[str]) -> argparse.Namespace:
    platforms = importlib.import_module("vllm.platforms")
    # It asks which machine it is on, and takes none for an answer.
    vars(platforms)["_current_platform"] = importlib.import_module(
        "vllm.platforms.cpu"
    ).CpuPlatform()
    argparse_utils = importlib.import_module("vllm.utils.argparse_utils")
    cli_args = importlib.import_module("vllm.entrypoints.common.cli_args")
    parser = cli_args.make_arg_parser(argparse_utils.FlexibleArgumentParser())
    given: argparse.Namespace = parser.parse_args(words[2:])
    cli_args.validate_parsed_serve_args(given)
    return given


def sglang(words: list[str]) -> Any:
    let_be_absent()
    return importlib.import_module("sglang.srt.server_args").prepare_server_args(words[3:])


PARSERS = {"vllm": vllm, "sglang": sglang}


if __name__ == "__main__":
    main()
