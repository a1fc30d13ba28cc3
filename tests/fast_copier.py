"""Copier with a small part of its work, for proofs that render thousands of times; the files are the same.

`python fast_copier.py …` is `copier …`. Copier makes an environment for each copy and compiles the whole of copier.yml,
each path part and each file again; with `--plain` first, just that goes, on any Copier. Once all is answered, it gathers
the answers anew for each part and file. It asks the file system about each path of the template, whether it leads out of
the project for one, some ten times.
"""

import functools
import gc
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import copier
import jinja2
import yaml
from copier._cli import CopierApp

from rendered import Rendered

Answers = Mapping[str, Any]
PLAIN = "--plain"
COMMAND = f"{sys.executable} {__file__}"  # instead of `copier`


def install_plain() -> None:
    """Let this process render just as any Copier does, but for what it compiles and how it reads YAML."""
    gc.set_threshold(100_000, 50, 100)  # each render makes many small objects, and hardly a cycle
    yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[assignment, misc]
    _compile_once()


def install() -> None:
    """Let this process render the fast way."""
    install_plain()
    worker = copier._main.Worker
    # It would ask Git after every file whether that keeps the executable bit, which it does but on Windows.
    assert hasattr(worker, "_sync_git_index_executable_bit"), "this Copier does not ask Git"
    worker._sync_git_index_executable_bit = lambda *_: None  # type: ignore[method-assign]
    template: Any = copier._template
    template.get_repo = functools.cache(template.get_repo)
    _read_once(template, copier._jinja_ext.CopierTemplateLoader)
    rendered = Rendered()
    _parse_once(rendered)
    _render_once(rendered)
    _render_what_is_a_template(copier._user_data.Question)
    _combine(copier._user_data.AnswersMap)
    _answer_once(worker)


def _compile_once() -> None:
    compile_once = functools.cache(jinja2.Environment.compile)
    first: list[jinja2.Environment] = []  # all are alike

    def compile_(
        environment: jinja2.Environment,
        source: str,
        name: str | None = None,
        _filename: str | None = None,  # another in each clone of the template
        **options: Any,
    ) -> Any:
        first.append(environment) if not first else None
        return compile_once(first[0], source, name, **options)

    jinja2.Environment.compile = compile_  # type: ignore[assignment, method-assign]


def _read_once(template: Any, loader: Any) -> None:
    """Read each file of a template once, as long as it is the same."""
    load, get_source = template.load_template_config, loader.get_source
    known: dict[tuple[str, int, int, int], Any] = {}

    def once(path: str, read: Callable[[], Any]) -> Any:
        try:
            now = os.stat(path)
        except OSError:
            return read()  # it says so in its own words
        key = (path, now.st_ino, now.st_mtime_ns, now.st_size)
        if key not in known:
            known[key] = read()
        return known[key]

    def load_(path: Path, quiet: bool = False) -> Any:
        text = once(str(path), lambda: json.dumps(load(path, quiet)))
        return json.loads(text)  # another each time, since Copier changes it

    def get_source_(self: Any, environment: jinja2.Environment, name: str) -> Any:
        path = os.path.join(self.searchpath[0], name)
        return once(path, lambda: get_source(self, environment, name))

    template.load_template_config = load_
    loader.get_source = get_source_


def _parse_once(rendered: Rendered) -> None:
    """Make one value of equal texts of YAML, which nothing changes."""
    casts: Any = copier._user_data.CAST_STR_TO_NATIVE
    parse = casts["yaml"]
    casts["yaml"] = functools.cache(lambda text: rendered.lasting(parse(text)))


class _Template:
    """A text that is rendered again only where something that it mentions is another."""

    def __init__(self, rendered: Rendered, environment: Any, source: str, real: Any) -> None:
        self._rendered, self._environment = rendered, environment
        self._source, self._real = source, real

    def render(self, *answers: Any, **more: Any) -> str:
        known = dict(*answers, **more)
        return self._rendered.text(
            self._environment, self._source, known, lambda: str(self._real().render(known))
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)


def _render_once(rendered: Rendered) -> None:
    environment: Any = jinja2.Environment
    from_string, get_template = environment.from_string, environment.get_template

    def from_string_(self: Any, source: Any, *more: Any) -> Any:
        if more or not isinstance(source, str):
            return from_string(self, source, *more)
        return _Template(rendered, self, source, lambda: from_string(self, source))

    def get_template_(self: Any, name: Any, *more: Any) -> Any:
        if more:  # Jinja itself asks, for what another includes
            return get_template(self, name, *more)
        source = self.loader.get_source(self, name)[0]
        return _Template(rendered, self, source, lambda: get_template(self, name))

    environment.from_string = from_string_
    environment.get_template = get_template_


def _render_what_is_a_template(question: Any) -> None:
    """Most of what stands in a question is no template, its type for example, and stays what it is."""
    render_value = question.render_value

    def render_value_(self: Any, value: Any, extra_answers: Answers | None = None) -> Any:
        is_list = isinstance(value, list)
        may_be_template = is_list or (isinstance(value, str) and "{" in value)
        return render_value(self, value, extra_answers) if may_be_template else value

    question.render_value = render_value_


def _combine(answers: Any) -> None:
    """Combine answers of all sources with fewer steps, in the order in which Copier's ChainMap has them."""
    defaults = copier._user_data.DEFAULT_DATA

    def combined(self: Any) -> Answers:
        external = {"_external_data": self.external}
        below = {**defaults, **external, **self.user_defaults, **self.last}
        return {**below, **self.metadata, **self.init, **self.user}

    answers.combined = property(combined)


def _answer_once(worker: Any) -> None:
    """Let a Worker of Copier gather its answers once for all files, and render equal paths and parts of paths once.

    It then passes over whole overlays that are not active, each file of which it would pass over.
    """
    scan: Any = copier._tools.scantree
    ask, write, gather, render_path, match = (
        worker._ask,
        worker._render_template,
        worker._render_context,
        worker._render_path,
        worker._path_matcher,
    )
    paths: dict[tuple[object, ...], list[Any]] = {}

    def ask_(self: Any) -> None:
        # For each question it gathers what will be recorded too, which no question looks at.
        with patch.object(worker, "_answers_to_remember", lambda _: {}):
            ask(self)

    @functools.cache
    def match_once(patterns: tuple[str, ...]) -> Callable[[Path], bool]:
        return functools.cache(match(None, patterns))

    def write_all(self: Any) -> None:
        answers_file = self.answers_relpath
        known = gather(self)

        @functools.cache
        def render_part(text: str) -> str:
            return str(self._render_string(text))

        def render_path_(self: Any, path: Path) -> list[Any]:
            varied = (render_part(part) for part in path.parts if "{" in part)
            key = (self.template.local_abspath, answers_file, path, *varied)
            if key not in paths:
                paths[key] = list(render_path(self, path))
            return paths[key]

        def scan_active(path: str, follow_symlinks: bool) -> Iterator[os.DirEntry[str]]:
            for entry in os.scandir(path):
                if render_part(entry.name):
                    yield entry
                    if entry.is_dir(follow_symlinks=follow_symlinks):
                        yield from scan(entry.path, follow_symlinks)

        with (
            patch.object(copier._main, "scantree", scan_active),
            patch.object(worker, "_render_context", lambda _: {**known}),
            patch.object(worker, "_render_path", render_path_),
            patch.object(worker, "_path_matcher", lambda _, patterns: match_once(tuple(patterns))),
            patch.object(worker, "answers_relpath", answers_file),
        ):
            project = self.subproject.local_abspath
            is_new = not os.path.exists(project) or os.listdir(project) == []
            if is_new and self.quiet and not self.pretend:
                _write_new(self, scan_active(str(self.template_copy_root), True))
            else:
                write(self)

    worker._ask = ask_
    worker._render_template = write_all


def _write_new(worker: Any, entries: Iterator[os.DirEntry[str]]) -> None:
    """Write a project into an empty folder, in which no link can lead astray."""
    template, suffix = worker.template, worker.template.templates_suffix
    above = os.path.join(worker.template_copy_root, "")
    root = os.path.join(template.local_abspath, "")
    top = str(worker.subproject.local_abspath)
    for entry in entries:
        assert not entry.is_symlink(), f"a link has no fast way: {entry.path}"
        for path, context in worker._render_path(Path(entry.path.removeprefix(above))):
            target = os.path.join(top, path)
            inside = os.path.normpath(target) + os.sep
            assert inside.startswith(f"{top}{os.sep}"), f"it leads out: {path}"
            if worker.match_exclude(path):
                continue
            if entry.is_dir():
                os.makedirs(target, exist_ok=True)
                continue
            name = entry.path.removeprefix(root)
            if os.path.lexists(target):  # two overlays have it
                worker._render_file(Path(name), path, extra_context=context or {})
                continue
            if entry.name.endswith(suffix):
                file = worker.jinja_env.get_template(name)
                content = file.render(**worker._render_context(), **(context or {})).encode()
            else:
                content = Path(entry.path).read_bytes()
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as new:
                new.write(content)
            os.chmod(target, entry.stat().st_mode)


if __name__ == "__main__":
    if sys.argv[1:2] == [PLAIN]:
        del sys.argv[1]
        install_plain()
    else:
        install()
    CopierApp.run()
