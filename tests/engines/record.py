"""What an engine knows: its options, routes and variables of the environment, read from the source in its wheel.

    python tests/engines/record.py WHEEL

writes them beside this file, after the version. No engine can be asked for its options without a GPU's libraries.
"""

import ast
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
# Files, and in them classes of which each field is an option.
PARSERS = {
    "vllm": (
        r"vllm/(engine/arg_utils|entrypoints/common/cli_args|entrypoints/cli/serve)\.py",
        "FrontendArgs$",
    ),
    "sglang": (r"sglang/srt/(arg_groups/fields/\w+|server_args)\.py", ""),
}
ROUTES = r"\w+/.*(api_router|health|metrics|http_server|v1_loads|elastic_ep)\.py"
VARIABLES = r"\w+/(envs|srt/environ)\.py"
METHODS = {"get", "post", "put", "delete", "api_route"}


def main() -> None:
    wheel = Path(sys.argv[1])
    engine, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        sources = {
            name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")
        }
    files, classes = PARSERS[engine]
    words = set()
    for name, source in sources.items():
        if re.fullmatch(files, name):
            words |= set(options(ast.parse(source), classes))
        if re.fullmatch(ROUTES, name):
            words |= set(routes(ast.parse(source)))
        if re.fullmatch(VARIABLES, name):
            words |= set(re.findall(rf"\b{engine.upper()}_[A-Z0-9_]+\b", source))
    (HERE / f"{engine}.txt").write_text("\n".join([version, *sorted(words)]) + "\n")


def options(tree: ast.AST, classes: str) -> Iterator[str]:
    """What `add_argument` is given, and the fields from which options are made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            yield from (word for word in texts(node.args) if word.startswith("--"))
        if isinstance(node, ast.ClassDef) and re.search(classes, node.name):
            fields = [field.target for field in node.body if isinstance(field, ast.AnnAssign)]
            names = [field.id for field in fields if isinstance(field, ast.Name)]
            yield from (f"--{name.replace('_', '-')}" for name in names if name[0] != "_")


def routes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in METHODS:
            yield from (word for word in texts(node.args[:1]) if word.startswith("/"))


def texts(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


if __name__ == "__main__":
    main()
