# /// script
# requires-python = ">=3.11"
# dependencies = ["libcst>=1.8,<2"]
# ///
"""Carry Modal code over the names that Modal has renamed or removed, up to client 1.6.

    uv run --script modernize.py src/            rewrite, and say what was changed
    uv run --script modernize.py --diff src/     print a unified diff, write nothing
    uv run --script modernize.py --check src/    say what would change, write nothing

Paths are files and folders; in folders every .py file counts, except in hidden folders and environments. Only the
words that change are touched: comments and formatting stay. What could change its meaning is left as it is and
reported with what to do; a line that ends in `# modernize: ok` is not reported again. Variables keep their names,
because other files may import them: `stub` stays `stub`, although `modal deploy` looks for `app`.

Exit codes: 0 done; 1 with --check when something would change or needs a person; 2 when a path could not be read,
parsed or written, or holds no Python file. The others are still done: each file is replaced whole, or not at all.
"""

import argparse
import ast
import difflib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from libcst import matchers as m
from libcst import metadata

# --- The rules, as data. Keys are what old code says. ---

NAMES = {  # full name: what its last part is called today
    "modal.Stub": "App",
    "modal.web_endpoint": "fastapi_endpoint",
    "modal.runner.deploy_stub": "deploy_app",
    "modal.Image.from_dockerhub": "from_registry",
    "modal.Function.lookup": "from_name",
    "modal.Cls.lookup": "from_name",
    "modal.Dict.lookup": "from_name",
    "modal.Queue.lookup": "from_name",
    "modal.Secret.lookup": "from_name",
    "modal.Volume.lookup": "from_name",
    "modal.Dict.persisted": "from_name",
    "modal.Queue.persisted": "from_name",
    "modal.Volume.persisted": "from_name",
}
KEYWORDS = {  # of @app.function, @app.cls and with_options
    "container_idle_timeout": "scaledown_window",
    "concurrency_limit": "max_containers",
    "keep_warm": "min_containers",
}
LOOKUP_KEYWORDS = {"tag": "name", "label": "name"}  # of from_name, lookup and persisted
LISTS = {"secret": "secrets", "custom_domains": "custom_domains"}  # took one, take a list
METHODS = {  # of objects whose type nobody can see
    "copy_local_dir": "add_local_dir",
    "copy_local_file": "add_local_file",
    "update_autoscaler": "autoscaler.update",
}
GPUS = {  # modal.gpu.NAME(…): the string that says the same
    "T4": "T4",
    "L4": "L4",
    "A10G": "A10",
    "A100": "A100",
    "L40S": "L40S",
    "H100": "H100",
    "H200": "H200",
    "B200": "B200",
    "Any": "any",
}
DROPPED = {  # keyword=value without an effect; * is any value
    "interactive=*": "`modal run -i` gives a terminal",
    "wait_for_response=True": "it always waits",
    "allow_concurrent_inputs=None": "one input at a time is the default",
    "max_inputs=None": "containers are reused by default",
}
HINTS = {  # what else there is to know about a name that changed
    "modal.Stub": "; `modal deploy` looks for `app`: if the variable has another name, deploy FILE.py::NAME",
    "modal.web_endpoint": "; the image must install fastapi itself",
}
FILES = "is gone: add_local_dir, add_local_file or add_local_python_source of the image adds files"
LOOK = {  # what a person has to do about names, …
    "modal.Mount": FILES,
    "modal.create_package_mounts": FILES,
    "modal.gpu": 'is gone: give a string or a list of strings, such as gpu="A100-80GB:2"',
    "modal.build": "is gone: download in Image.run_function, or in @modal.enter() into a Volume",
    "modal.SharedVolume": "is gone: use modal.Volume and copy the data over",
    "modal.NetworkFileSystem": "is going: use modal.Volume and copy the data over",
    "modal.Image.conda": "is gone: use Image.micromamba() with micromamba_install()",
    "app.registered_functions": "is going: find the functions among vars(module)",
    "app.registered_classes": "is going: find the classes among vars(module)",
    "app.registered_entrypoints": "is going: find the entry points among vars(module)",
    "app.registered_web_endpoints": "is going: find the functions among vars(module)",
    # … methods of objects whose type nobody can see, …
    ".keep_warm()": "is gone: call .autoscaler.update(min_containers=…)",
    ".copy_mount()": FILES,
    ".conda_install()": "is gone: use micromamba_install() on Image.micromamba()",
    # … keywords, …
    "mounts=": FILES,
    "shared_volumes=": "is gone: use volumes= with modal.Volume and copy the data over",
    "wait_for_response=": "is gone: start the work with .spawn() and answer with its object_id",
    "context_mount=": "is gone: give context_dir=",
    "max_inputs=": "is going: say single_use_containers=True for 1; other numbers are refused",
    "allow_concurrent_inputs=": "is gone: put @modal.concurrent(max_inputs=…) below @app.function or @app.cls",
    "namespace=": "is gone: remove it",
    # … methods of a class under @app.cls, …
    "__init__": "is refused: use modal.parameter() for values and @modal.enter() for work at the start",
    "__enter__": "is not called: decorate it with @modal.enter(), under another name",
    "__aenter__": "is not called: decorate it with @modal.enter(), under another name",
    "__exit__": "is not called: decorate it with @modal.exit(), under another name, without parameters",
    "__aexit__": "is not called: decorate it with @modal.exit(), under another name, without parameters",
    # … calls in a web_server, …
    "subprocess.run": "never returns, so that no request is served: use subprocess.Popen",
    "subprocess.call": "never returns, so that no request is served: use subprocess.Popen",
    "subprocess.check_call": "never returns, so that no request is served: use subprocess.Popen",
    "subprocess.check_output": "never returns, so that no request is served: use subprocess.Popen",
    "os.system": "never returns, so that no request is served: use subprocess.Popen",
    # … and what is no name.
    "import *": "hides where names come from: write `import modal`",
    "lookup.aio": "is gone: write from_name(…), without await",
    "app.NAME": "is not seen by Modal: use a variable of the module",
    "**": "cannot be read: rename old keywords in it, or give them in the call",
    "app?": "has old keywords, and is not seen to be Modal's: rename them",
    "twice": "is the old name of another keyword here: remove it",
    "seconds": "is refused: scaledown_window= takes 2 to 3600 seconds",
    "bool": "is refused: write a number",
    "relative path": "is refused: give an absolute path to add_local_…(…, copy=True)",
    "async def": "is refused under this decorator: write def",
    "parameters": "are refused under this decorator: remove them",
}

RETRIES = "removed; a web function refuses it: retry in its clients"
IMPORTABLE = {"modal.NetworkFileSystem"}  # the names above whose import does not fail
FACTORIES = {f"modal.{name}" for name in ("asgi_app", "wsgi_app", "web_server")}
WEB = FACTORIES | {"modal.fastapi_endpoint", "modal.web_endpoint"}
APPS = {"modal.App", "modal.Stub", "modal.App.lookup"}
IMAGE_METHODS = {"run_function", "from_dockerfile", "dockerfile_commands"}
SEEN = "# modernize: ok"
SKIPPED = {"node_modules", "site-packages", "venv", "__pycache__"}
BREAK = re.compile(rb"\r\n?|\n")
REST = re.compile(rb"[ \t]*(,?)[ \t]*(#[^\r\n]*)?(\r\n?|\n)")  # of a line: comma, comment, break


class Note(NamedTuple):
    """One line of the report: a change, or a place that a person must look at."""

    line: int
    kind: str  # "changed" or "look"
    text: str


def modernize(source: bytes) -> tuple[bytes, list[Note]]:
    """Return the code as Modal wants it today, and what there is to say about it.

    Raises:
        cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError: when this is not Python.
    """
    module = cst.parse_module(source)
    if module.code.encode(module.encoding) != source:
        raise SyntaxError("its bytes cannot be kept as they are")
    if not re.search(rb"\b(modal|app|stub)\b", source):
        return source, []
    rules = Rules(metadata.MetadataWrapper(module, unsafe_skip_copy=True))
    module.visit(rules)
    code = rules.apply()
    ast.parse(code)
    return code.encode(module.encoding), sorted({*rules.notes})


class Rules(cst.CSTVisitor):
    """Collects changes of the text. libcst says what a name means, whatever it is called and whatever hides it."""

    def __init__(self, wrapper: metadata.MetadataWrapper) -> None:
        super().__init__()
        self.names = wrapper.resolve(metadata.QualifiedNameProvider)
        self.scopes = wrapper.resolve(metadata.ScopeProvider)
        self.spans = wrapper.resolve(metadata.ByteSpanPositionProvider)
        self.module = wrapper.module
        self.text = self.module.code.encode()  # spans count bytes of UTF-8
        self.newline = self.module.default_newline.encode()
        self.edits: list[tuple[int, int, bytes]] = []
        self.notes: list[Note] = []
        self.bindings = [b for s in {*self.scopes.values()} if s for b in s.assignments]
        calls = [cst.ensure_type(call, cst.Call) for call in m.findall(self.module, m.Call())]
        self.values = dict(self._values())
        self.apps = {
            name
            for target, value in self.values.items()
            if self.imported(value) & APPS
            for name in self.local(target)
        }
        self.gpus = {call: gpu for call in calls if (gpu := self._gpu(call))}
        # Names, and arguments, that go with a change of what is around them.
        self.settled = {part for call in self.gpus for part in _chain(call.func)}
        self.moved: set[cst.CSTNode] = set()  # arguments that take their comment with them
        # What is given to Modal as **variable.
        options = [arg for call in calls if self._takes_options(call) for arg in call.args]
        self.spread = {arg.value for arg in options if arg.star == "**"}

    def _values(self) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
        """Each assigned name with its value, and each parameter with its type."""
        for node in m.findall(self.module, m.Assign() | m.AnnAssign() | m.Param()):
            if isinstance(node, cst.Assign):
                yield from ((target.target, node.value) for target in node.targets)
            elif isinstance(node, cst.AnnAssign) and node.value:
                yield node.target, node.value
            elif isinstance(node, cst.Param) and node.annotation:
                yield node.name, node.annotation.annotation

    # --- what nodes mean ---

    def imported(self, node: cst.CSTNode) -> set[str]:
        """The full names of what this refers to, as far as it was imported."""
        source = metadata.QualifiedNameSource.IMPORT
        return {name.name for name in self._names(node) if name.source is source}

    def local(self, node: cst.CSTNode) -> set[str]:
        source = metadata.QualifiedNameSource.LOCAL
        return {name.name for name in self._names(node) if name.source is source}

    def _names(self, node: cst.CSTNode) -> Collection[metadata.QualifiedName]:
        names = self.names.get(node, ())
        return names() if callable(names) else names

    def _is_app(self, node: cst.BaseExpression) -> bool:
        """An app of this file; or one from elsewhere, which is known by its usual names."""
        origins = self.imported(node)
        if isinstance(node, cst.Name) and not self._names(node):  # bound nowhere in this file
            origins = {node.value}
        usual = any(name.rpartition(".")[2] in ("app", "stub") for name in origins)
        return usual or bool(self.local(node) & self.apps)

    def _registers(self, node: cst.BaseExpression) -> bool:
        """Whether this is app.function(…) or app.cls(…)."""
        func = node.func if isinstance(node, cst.Call) else None
        known = isinstance(func, cst.Attribute) and func.attr.value in ("function", "cls")
        return known and self._is_app(cst.ensure_type(func, cst.Attribute).value)

    def _takes_options(self, node: cst.Call) -> bool:
        return self._registers(node) or self._is_method(node.func, {"with_options"})

    def _is_method(self, node: cst.BaseExpression, names: set[str] | dict[str, str]) -> bool:
        """Whether this may be such a method of Modal: the file speaks of it, and it is no other library's."""
        if not isinstance(node, cst.Attribute) or node.attr.value not in names:
            return False
        root: cst.BaseExpression = node
        while isinstance(root, cst.Attribute | cst.Call):
            root = root.value if isinstance(root, cst.Attribute) else root.func
        origins = self.imported(root)
        ours = any(name == "modal" or name.startswith("modal.") for name in origins)
        return b"modal" in self.text and (ours or not origins)

    def _source(self, binding: metadata.BaseAssignment) -> set[str]:
        """The full name of what was imported under this name."""
        names = binding.get_qualified_names_for(binding.name)
        return {n.name for n in names if isinstance(binding, metadata.ImportAssignment)}

    def _is_taken(self, name: str, full: str) -> bool:
        """Whether this file calls something else so."""
        return any(b.name == name and self._source(b) != {full} for b in self.bindings)

    # --- what is changed and reported ---

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        span = self.spans[node]
        return span.start, span.start + span.length

    def code(self, node: cst.CSTNode) -> str:
        return self.text[slice(*self.span(node))].decode()

    def look(self, node: cst.CSTNode, key: str, shown: str = "") -> None:
        start, _ = self.span(node)
        seen = self.text[start : self._line_end(start)].decode().rstrip().endswith(SEEN)
        if key in LOOK and not seen:
            self._note(node, "look", f"{shown or key} {LOOK[key]}")

    def change(self, node: cst.CSTNode, old: str, new: str) -> None:
        self._note(node, "changed", f"{old} -> {new}")

    def _note(self, node: cst.CSTNode, kind: str, text: str) -> None:
        line = len(BREAK.findall(self.text[: self.span(node)[0]])) + 1
        self.notes.append(Note(line, kind, " ".join(text.split())))

    def replace(self, node: cst.CSTNode, text: str) -> None:
        self.edits.append((*self.span(node), text.encode()))

    def insert(self, position: int, text: str | bytes) -> None:
        self.edits.append((position, position, text.encode() if isinstance(text, str) else text))

    def apply(self) -> str:
        text, last = self.text, len(self.text) + 1
        # From the end to the start. What lies within a larger change goes with it.
        order = sorted({*self.edits}, key=lambda e: (e[1], e[0] == e[1], -e[0]), reverse=True)
        for start, end, new in order:
            if end <= last:
                text, last = text[:start] + new + text[end:], start
        return text.decode()

    def _line_end(self, position: int) -> int:
        found = BREAK.search(self.text, position)
        return found.start() if found else len(self.text)

    def _indent(self, position: int) -> bytes:
        """What stands before a position in its line."""
        return BREAK.split(self.text[:position])[-1]

    def _remove(self, items: Sequence[cst.CSTNode], gone: list[cst.CSTNode]) -> None:
        """Take some of the arguments of a call, or of imported names, out."""
        kept = [item for item in items if item not in gone]
        for item in gone:
            start, end = self.span(item)
            indent, rest = self._indent(start), REST.match(self.text, end)
            if rest and not indent.strip():  # it has its lines for itself, and leaves its comment
                stays = indent + rest[2] + rest[3] if rest[2] and item not in self.moved else b""
                self.edits.append((start - len(indent), rest.end(), stays))
            elif any(self.span(other)[0] > start for other in kept):
                following = min(
                    self.span(other)[0] for other in items if self.span(other)[0] > start
                )
                if b"\n" in self.text[end:following]:  # the next one begins a line
                    start = len(self.text[:start].rstrip(b" \t"))
                    following = self.text.index(b",", end) + 1
                self.edits.append((start, following, b""))
            elif item is gone[-1]:
                begin = self.span(kept[-1])[1] if kept else self.span(items[0])[0]
                self.edits.append((start if b"#" in self.text[begin:start] else begin, end, b""))

    def _append(self, call: cst.Call, text: str) -> None:
        """Add a last argument: on a line of its own where the one before it has one."""
        start, end = self.span(call.args[-1])
        indent, rest = self._indent(start), REST.match(self.text, end)
        if rest and rest[1] and not indent.strip():
            self.insert(rest.start(3), self.newline + indent + f"{text},".encode())
        else:
            self.insert(end, f", {text}")

    # --- names ---

    def visit_Name(self, node: cst.Name) -> None:
        for name in self.imported(node):
            new = NAMES.get(name, "")
            if new and name.endswith(f".{node.value}") and not self._is_taken(new, f"modal.{new}"):
                self.replace(node, new)
            self._look_at(node, name)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        for name in self.imported(node):
            if name.removesuffix(".aio") in NAMES and name.endswith(".aio"):
                self.look(node, "lookup.aio", name)
                self.settled.add(node.value)
            elif name in NAMES and node not in self.settled:
                self._rename(node.attr, name)
            self._look_at(node, name)
        if self._is_app(node.value):
            self.look(node, f"app.{node.attr.value}")

    def _look_at(self, node: cst.CSTNode, name: str) -> None:
        if node not in self.settled and name.startswith("modal."):
            self.look(node, name)

    def _rename(self, node: cst.CSTNode, name: str) -> None:
        self.replace(node, NAMES[name])
        self.change(node, name, f"{name.rpartition('.')[0]}.{NAMES[name]}{HINTS.get(name, '')}")

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        module = self.code(node.module) if node.module and not node.relative else ""
        if module.partition(".")[0] != "modal":
            return
        if isinstance(node.names, cst.ImportStar):
            self.look(node, "import *")
            return
        gone: list[cst.CSTNode] = []
        there = {alias.evaluated_name for alias in node.names if not alias.asname}
        for alias in node.names:
            name = f"{module}.{alias.evaluated_name}"
            new = NAMES.get(name, "")
            if new:
                self._rename(alias.name, name)
            if new and not alias.asname and self._is_taken(new, f"modal.{new}"):
                self.insert(self.span(alias)[1], f" as {alias.evaluated_name}")
            if (new in there and not alias.asname) or self._is_useless(node, alias, name):
                gone.append(alias)
        self._remove_imports(node, gone)

    def visit_Import(self, node: cst.Import) -> None:
        gone: list[cst.CSTNode] = []
        for alias in node.names:
            if self._is_useless(node, alias, alias.evaluated_name) and alias.asname:
                gone.append(alias)
            elif self._is_useless(node, alias, alias.evaluated_name):  # it also binds `modal`
                self.replace(alias, "modal")
                self.change(node, f"import {alias.evaluated_name}", "import modal")
        self._remove_imports(node, gone)

    def _is_useless(self, node: cst.CSTNode, alias: cst.ImportAlias, name: str) -> bool:
        """Whether this import would fail, and nothing needs it any more."""
        scope = self.scopes[node]
        bound = alias.evaluated_alias or alias.evaluated_name
        uses = {a.node for b in scope[bound] for a in b.references} if scope else set()
        fails = any(f"{name}.".startswith(f"{old}.") for old in {*LOOK} - IMPORTABLE)
        return fails and uses <= self.settled

    def _remove_imports(self, node: cst.Import | cst.ImportFrom, gone: list[cst.CSTNode]) -> None:
        start, end = self.span(node)
        rest = REST.match(self.text, end)
        if gone and not isinstance(node.names, cst.ImportStar) and len(gone) < len(node.names):
            self._remove(node.names, gone)
        elif gone and rest and not rest[2] and not self._indent(start):
            self.edits.append((start, rest.end(), b""))
        elif gone:  # a block must not be empty, and a comment stays
            self.edits.append((start, end, b"pass"))
        for alias in gone:
            self.change(node, f"import of {self.code(alias)}", "removed")

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        target = node.target
        if (
            isinstance(target, cst.Attribute | cst.Subscript)
            and self.local(target.value) & self.apps
        ):
            self.look(target, "app.NAME", self.code(target))

    # --- calls ---

    def visit_Call(self, node: cst.Call) -> None:
        names = self.imported(node.func)
        takes_options = self._takes_options(node)
        if node in self.gpus:
            self.replace(node, self.gpus[node])
            self.change(node, self.code(node), self.gpus[node])
        is_aio = isinstance(node.func, cst.Attribute) and node.func.attr.value == "aio"
        method = cst.ensure_type(node.func, cst.Attribute).value if is_aio else node.func
        if isinstance(method, cst.Attribute) and self._is_method(method, {method.attr.value}):
            self._change_method(node, method)
            self.look(method, f".{method.attr.value}()")
        last = {name.rpartition(".")[2] for name in names if name.startswith("modal.")}
        if last & {"from_name", "lookup", "persisted"}:
            self._change_keywords(node, LOOKUP_KEYWORDS)
        if "persisted" in last and names & {*NAMES} and node.args:
            self._append(node, "create_if_missing=True")
        if takes_options:
            self._change_keywords(node, KEYWORDS)
            self._read_spread(node)
        elif {*map(_keyword, node.args)} & {*KEYWORDS, "allow_concurrent_inputs"}:
            registers = self._is_method(node.func, {"function", "cls"})
            partial = "functools.partial" in names
            self.look(node, "app?" if registers or partial else "", self.code(node.func))
        if takes_options or names & WEB:
            self._drop(node)
        is_modal = any(name.startswith("modal.") for name in names)
        if takes_options or is_modal or self._is_method(node.func, IMAGE_METHODS):
            for arg in node.args:
                self._check_keyword(node, arg)

    def _change_keywords(self, node: cst.Call, table: dict[str, str]) -> None:
        for arg in node.args:
            new = table.get(_keyword(arg))
            if new and new in map(_keyword, node.args):
                self.look(arg, "twice", f"{_keyword(arg)}=")
            elif new and arg.keyword:
                self.replace(arg.keyword, new)
                self.change(arg, f"{_keyword(arg)}=", f"{new}=")
                self._check_value(arg.value, new)

    def _check_value(self, value: cst.BaseExpression, keyword: str) -> None:
        number = value.evaluated_value if isinstance(value, cst.Integer) else 2
        if keyword == "scaledown_window" and not 2 <= number <= 3600:
            self.look(value, "seconds", f"{keyword}={number}")
        if self.code(value) in ("True", "False"):
            self.look(value, "bool", f"{keyword}={self.code(value)}")

    def _check_keyword(self, node: cst.Call, arg: cst.Arg) -> None:
        """A keyword that changed in form, or that a person must look at."""
        keyword, value = _keyword(arg), self.code(arg.value)
        # CloudBucketMount and Image.from_registry take one `secret` to this day.
        takes = keyword != "secret" or self._takes_options(node)
        new = LISTS.get(keyword, "") if takes else ""
        is_one = keyword != new or isinstance(arg.value, cst.SimpleString)
        if arg in self.settled or self._hint(arg) or "modal.concurrent" in self.imported(node.func):
            return
        if keyword == "max_inputs" and value == "1":
            self.replace(arg, "single_use_containers=True")
            self.change(arg, "max_inputs=1", "single_use_containers=True")
        elif new and keyword != new and new in map(_keyword, node.args):
            self.look(arg, "twice", f"{keyword}=")
        elif new and is_one and arg.keyword:
            self.replace(arg.keyword, new)
            self.insert(self.span(arg.value)[0], "[")
            self.insert(self.span(arg.value)[1], "]")
            self.change(arg, f"{keyword}={value}", f"{new}=[{value}]")
        else:
            self.look(arg, f"{keyword}=")

    def _hint(self, arg: cst.Arg) -> str:
        value = f"{_keyword(arg)}={self.code(arg.value)}"
        return DROPPED.get(value, DROPPED.get(f"{_keyword(arg)}=*", ""))

    def _drop(self, node: cst.Call) -> None:
        for arg in node.args:
            if hint := self._hint(arg):
                self.change(arg, self.code(arg), f"removed; {hint}")
        self._remove(node.args, [a for a in node.args if a in self.settled or self._hint(a)])

    def _change_method(self, node: cst.Call, method: cst.Attribute) -> None:
        old, new = method.attr.value, METHODS.get(method.attr.value)
        if not new:
            return
        if old.startswith("copy_local_"):
            given = [a for a in node.args if _keyword(a) == "remote_path"] or node.args[1:2]
            path = given[0].value if given else cst.SimpleString("'.'")
            if isinstance(path, cst.SimpleString) and not str(path.evaluated_value).startswith("/"):
                self.look(method.attr, "relative path", f"{old}() to a relative path")
                return
            self._append(node, "copy=True")
        self.replace(method.attr, new)
        self.change(method.attr, f".{old}()", f".{new}()")

    def _gpu(self, node: cst.Call) -> str:
        """The string for a call of modal.gpu.NAME, as code; nothing for what cannot be read."""
        kind = next((n for n in self.imported(node.func) if n.startswith("modal.gpu.")), "")
        text = GPUS.get(kind.removeprefix("modal.gpu."), "")
        given = {_keyword(arg): arg.value for arg in node.args}
        size = given.pop("size", given.pop("memory", None))
        count = given.pop("count", cst.Integer("1"))
        if not text or given or not isinstance(size, cst.SimpleString | cst.Integer | None):
            return ""
        if size:
            text += f"-{str(size.evaluated_value).removesuffix('GB')}GB"
        if isinstance(count, cst.Name):
            return f'f"{text}:{{{count.value}}}"'
        if not isinstance(count, cst.Integer):
            return ""
        return f'"{text}"' if count.value == "1" else f'"{text}:{count.value}"'

    # --- dictionaries of keywords ---

    def _read_spread(self, node: cst.Call) -> None:
        """Change the keys of dictionaries given by **, where this file shows all there is to them."""
        for arg in [arg for arg in node.args if arg.star == "**"]:
            pairs = self._pairs(self._literal(arg.value))
            if pairs is None:
                self.look(arg, "**", self.code(arg))
            for key, place, value in pairs or ():
                if key in KEYWORDS:
                    self.replace(place, self.code(place).replace(key, KEYWORDS[key]))
                    self.change(place, f"{key} in {self.code(arg)}", KEYWORDS[key])
                    self._check_value(value, KEYWORDS[key])
                elif f"{key}=" in LOOK or f"{key}=*" in DROPPED or LISTS.get(key, key) != key:
                    self.look(place, "**", f"{key} in {self.code(arg)}")

    def _literal(self, node: cst.BaseExpression) -> cst.CSTNode | None:
        """What is given by **; for a variable its only value, if it serves for nothing else."""
        scope = self.scopes.get(node)
        if not isinstance(node, cst.Name) or not scope:
            return node
        bindings = [b for b in scope[node.value] if isinstance(b, metadata.Assignment)]
        uses = {access.node for binding in bindings for access in binding.references}
        return (
            self.values.get(bindings[0].node)
            if len(bindings) == 1 and uses <= self.spread
            else None
        )

    def _pairs(
        self, node: cst.CSTNode | None
    ) -> list[tuple[str, cst.CSTNode, cst.BaseExpression]] | None:
        """The keys of a dictionary, where they stand, and their values; None if it holds more."""
        if isinstance(node, cst.Call) and self.code(node.func) == "dict":
            named = [(a.keyword.value, a.keyword, a.value) for a in node.args if a.keyword]
            return [*named] if len(named) == len(node.args) else None
        if not isinstance(node, cst.Dict):
            return None
        items = [e for e in node.elements if isinstance(e, cst.DictElement)]
        keys = [
            (str(e.key.evaluated_value), e.key, e.value)
            for e in items
            if isinstance(e.key, cst.SimpleString)
        ]
        return [*keys] if len(keys) == len(node.elements) else None

    # --- definitions ---

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        names = self._decorated(node)
        params = [p.name.value for p in (*node.params.params, *node.params.kwonly_params)]
        if names & FACTORIES and node.asynchronous:
            self.look(node.name, "async def")
        if names & FACTORIES and {*params} - {"self"}:
            self.look(node.name, "parameters")
        for call in m.findall(node.body, m.Call()) if "modal.web_server" in names else ():
            for name in self.imported(call):
                self.look(call, "" if name.startswith("modal.") else name)

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._decorated(node)
        if any(self._registers(decorator.decorator) for decorator in node.decorators):
            for method in m.findall(node.body, m.FunctionDef()):
                name = cst.ensure_type(method, cst.FunctionDef).name
                self.look(name, name.value if method in node.body.body else "")

    def _decorated(self, node: cst.FunctionDef | cst.ClassDef) -> set[str]:
        """See to what takes a whole definition to decide; return the full names of its decorators."""
        names = {name for d in node.decorators for name in self.imported(d.decorator)}
        for decorator in node.decorators:
            call = decorator.decorator
            if not isinstance(call, cst.Call) or not self._registers(call):
                continue
            for arg in call.args:
                if _keyword(arg) == "retries" and names & WEB:
                    self.change(arg, self.code(arg), RETRIES)
                    self.settled.add(arg)
                elif _keyword(arg) == "allow_concurrent_inputs" and not self._hint(arg):
                    self._add_concurrent(
                        decorator, arg, "" if "modal.concurrent" in names else self._modal()
                    )
        return names

    def _add_concurrent(self, decorator: cst.Decorator, arg: cst.Arg, modal: str) -> None:
        if not modal:
            return  # the keyword is reported with the others
        text = f"@{modal}.concurrent(max_inputs={self.code(arg.value)})"
        self.change(arg, self.code(arg), text)
        self.settled.add(arg)
        self.moved.add(arg)
        (start, end), (own, own_end) = self.span(decorator), self.span(arg)
        rest = REST.match(self.text, own_end)
        comment = rest[2] if rest and not self._indent(own).strip() else None
        line = self._indent(start) + text.encode() + (b"  " + comment if comment else b"")
        self.insert(self._line_end(end), self.newline + line)

    def _modal(self) -> str:
        """What this file calls Modal at module level, after an import if need be; nothing if it cannot."""
        for binding in self.bindings:
            if self._source(binding) == {"modal"} and isinstance(
                binding.scope, metadata.GlobalScope
            ):
                return binding.name
        if self._is_taken("modal", "modal"):
            return ""
        imports = m.SimpleStatementLine([m.Import() | m.ImportFrom(module=~m.Name("__future__"))])
        first = next((s for s in self.module.body if m.matches(s, imports)), None)
        if not first:
            return ""
        self.insert(self.span(first)[0], b"import modal" + self.newline)
        return "modal"


def _keyword(arg: cst.Arg) -> str:
    return arg.keyword.value if arg.keyword else ""


def _chain(node: cst.BaseExpression) -> set[cst.CSTNode]:
    """a.b.c, a.b and a."""
    return {node} | (_chain(node.value) if isinstance(node, cst.Attribute) else set())


# --- files ---


class File(NamedTuple):
    path: Path
    before: bytes
    after: bytes
    notes: list[Note]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run over paths and return the exit code, as the text at the top of this file says."""
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=about)
    parser.add_argument("paths", nargs="+", type=Path, help="files and folders")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if there is work"
    )
    parser.add_argument("--diff", action="store_true", help="write nothing; print a unified diff")
    options = parser.parse_args(arguments)
    errors: list[str] = []
    files = [file for path in _python_files(options.paths, errors) if (file := _read(path, errors))]
    if not (options.check or options.diff):
        files = [file for file in files if file.after == file.before or _write(file, errors)]
    notes = [(file.path, note) for file in files for note in file.notes]
    for file in files if options.diff else ():
        print(_diff(file), end="")
    for path, note in notes if options.check or not options.diff else ():
        print(f"{path}:{note.line}: {note.kind}: {note.text}")
    if options.check or not options.diff:
        kinds = [note.kind for _, note in notes]
        print(
            f"Changes: {kinds.count('changed')}. To look at: {kinds.count('look')}. Files: {len(files)}."
        )
    for error in errors:
        print(error, file=sys.stderr)
    return 2 if errors else 1 if options.check and notes else 0


def _python_files(paths: Sequence[Path], errors: list[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        inside = (
            [file for file in sorted(path.rglob("*.py")) if file.is_file()]
            if path.is_dir()
            else [path]
        )
        inside = [
            file for file in inside if not any(map(_is_skipped, file.relative_to(path).parts))
        ]
        if not path.exists():
            errors.append(f"{path} does not exist.")
        elif path.is_file() and path.suffix != ".py":
            errors.append(f"{path} is not a .py file.")
        elif not inside:
            errors.append(f"{path} holds no .py file.")
        else:
            found |= dict.fromkeys(inside)
    return list(found)


def _is_skipped(part: str) -> bool:
    return part.startswith(".") or part in SKIPPED


def _read(path: Path, errors: list[str]) -> File | None:
    try:
        before = path.read_bytes()
        return File(path, before, *modernize(before))
    except (cst.ParserSyntaxError, SyntaxError, UnicodeError) as error:
        errors.append(f"{path} is left as it is, because it is not Python: {_short(error)}")
    except (OSError, RecursionError) as error:
        errors.append(f"{path} is left as it is, because it cannot be read: {_short(error)}")
    return None


def _write(file: File, errors: list[str]) -> bool:
    """Replace a file in one step: whatever fails, it is the old one or the new one, whole."""
    target = file.path.resolve()  # a link stays a link
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=".modernize-", delete=False
        ) as new:
            temporary = Path(new.name)
            new.write(file.after)
        shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        errors.append(
            f"{file.path} is left as it is, because it cannot be written: {_short(error)}"
        )
        return False
    return True


def _diff(file: File) -> str:
    before, after = (
        code.decode(errors="replace").splitlines(keepends=True)
        for code in (file.before, file.after)
    )
    lines = difflib.unified_diff(before, after, f"a/{file.path}", f"b/{file.path}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
