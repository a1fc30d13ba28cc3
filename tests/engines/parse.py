"""A project's command line, given to the engine's own parser: by hand, where the engine can be imported.

    PYTHONPATH=WHEEL:PROJECT/src python tests/engines/parse.py vllm

WHEEL is the unpacked wheel, with the packages that it imports; neither a GPU nor CUDA is needed. An option that is
misspelt, or a value that is none, ends it as it would end the engine; else it prints what the engine understood.
"""

import argparse
import importlib
import sys
from pathlib import Path


def main() -> None:
    settings = importlib.import_module("myapi.settings").Settings()
    command = importlib.import_module("myapi.command")
    words = command.arguments(settings, Path("/weights"), "127.0.0.1", 8000)
    given = PARSERS[sys.argv[1]](words)
    named = [word.partition("=")[0] for word in words if word.startswith("--")]
    for name in named:
        print(name, getattr(given, name[2:].replace("-", "_")))


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


PARSERS = {"vllm": vllm}


if __name__ == "__main__":
    main()
