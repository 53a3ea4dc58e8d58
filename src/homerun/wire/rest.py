"""Which method does a request mean? A tree over the published path templates (`v2/projects/{projectsId}/…:verb`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    variable: _Node[T] | None = None
    targets: dict[tuple[str, str], tuple[T, tuple[str, ...]]] = field(default_factory=dict)
    """By custom verb (`run` of `…/jobs/j:run`, or empty) and HTTP method; with the names of the variables."""


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    target: T
    variables: Mapping[str, str]


class Router(Generic[T]):
    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, http_method: str, template: str, target: T) -> None:
        segments, verb = _split(template)
        node, names = self._root, []
        for segment in segments:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        node.targets[verb, http_method] = (target, tuple(names))

    def match(self, http_method: str, path: str) -> Match[T] | None:
        """`path` as it came, percent-encoded."""
        segments, verb = _split(path)
        for node, values in self._walk(self._root, segments, ()):
            found = node.targets.get((verb, http_method))
            if found is not None:
                return Match(found[0], dict(zip(found[1], values, strict=True)))
        return None

    def methods(self, path: str) -> list[str]:
        """HTTP methods that `path` has; none: there is no such path."""
        segments, verb = _split(path)
        nodes = self._walk(self._root, segments, ())
        return sorted({method for node, _ in nodes for v, method in node.targets if v == verb})

    def _walk(
        self, node: _Node[T], segments: Sequence[str], values: tuple[str, ...]
    ) -> list[tuple[_Node[T], tuple[str, ...]]]:
        if not segments:
            return [(node, values)]
        head, rest = segments[0], segments[1:]
        found = []
        if (literal := node.literals.get(head)) is not None:
            found += self._walk(literal, rest, values)
        value = unquote(head)
        if node.variable is not None and value and "/" not in value:
            found += self._walk(node.variable, rest, (*values, value))
        return found


def _split(path: str) -> tuple[list[str], str]:
    segments = path.removeprefix("/").split("/")
    segments[-1], _, verb = segments[-1].replace("%3A", ":").replace("%3a", ":").partition(":")
    return segments, verb
