"""Texts of Jinja that are rendered once for each set of values of what they mention."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jinja2
import jinja2.meta

PLAIN = (str, int, float, bool, type(None))
MISSING = object()
Answers = Mapping[str, Any]
Item = TypeVar("Item")


class Rendered:
    """What was rendered, by the sources, and by the values of all variables that they mention."""

    def __init__(self) -> None:
        self._texts: dict[tuple[object, ...], str] = {}
        self._lasting: dict[int, Any] = {}
        self._looked: dict[str, tuple[tuple[str, ...], tuple[str | None, ...]]] = {}

    def lasting(self, value: Item) -> Item:
        """The value, which nothing changes from now on: it is known by its id, as plain ones are by themselves."""
        self._lasting[id(value)] = value
        return value

    def text(self, environment: Any, source: str, known: Answers, render: Callable[[], str]) -> str:
        """What `render` makes of a text and these answers, or made of them before."""
        key = self._key(environment, source, known)
        if key is None:
            return render()
        if key not in self._texts:
            self._texts[key] = render()
        return self._texts[key]

    def _key(self, environment: Any, source: str, known: Answers) -> tuple[object, ...] | None:
        """None where it can't be told: no template at all, a file whose name is computed, a value that may change."""
        sources: list[str] = []
        values: list[object] = []
        todo = [source]
        while todo:
            sources.append(todo.pop())
            try:
                names, included = self._look(environment, sources[-1])
            except jinja2.TemplateSyntaxError:  # which says where when it is raised again
                return None
            for name in names:
                value = known.get(name, MISSING)
                if value is not MISSING and not isinstance(value, PLAIN):
                    if id(value) not in self._lasting:
                        return None
                    value = id(value)
                values.append((type(value), value))
            for file in included:
                if file is None:
                    return None
                todo.append(environment.loader.get_source(environment, file)[0])
        return (*sources, *values)

    def _look(
        self, environment: jinja2.Environment, source: str
    ) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
        """The variables that a text mentions, and the files that it includes or imports."""
        if source not in self._looked:
            tree = environment.parse(source)
            self._looked[source] = (
                tuple(sorted(jinja2.meta.find_undeclared_variables(tree))),
                tuple(jinja2.meta.find_referenced_templates(tree)),
            )
        return self._looked[source]
