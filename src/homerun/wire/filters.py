"""Google's filter language (AIP-160, as Cloud Logging has it): parsed into a tree, then asked about JSON objects.

    resource.type = cloud_run_job AND labels."run.googleapis.com/execution_name" = x AND severity >= ERROR
    NOT textPayload:"health" AND (httpRequest.status>=500 OR jsonPayload.user=("a" OR "b"))

Comparisons side by side are joined by AND, which binds weaker than OR (as Google has it). A bare word matches when any
text of the object contains it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from homerun.lib.errors import Invalid
from homerun.lib.timestamps import from_rfc3339

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<op>!=|>=|<=|=~|!~|[=<>:()\-.,])
      | (?P<word>[^\s"'=<>:()!,.]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMPARE = ("=", "!=", ">", ">=", "<", "<=", ":", "=~", "!~")
_MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path` empty: any text of the object."""

    path: tuple[str, ...]
    op: str
    value: str

    def matches(self, entry: Mapping[str, Any]) -> bool:
        if not self.path:
            return any(self.value.lower() in text.lower() for text in _texts(entry))
        found = list(_values(entry, self.path))
        if self.op in ("!=", "!~"):
            return not any(_compare(value, _POSITIVE[self.op], self.value, self.path) for value in found)
        return any(_compare(value, self.op, self.value, self.path) for value in found)


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]

    def matches(self, entry: Mapping[str, Any]) -> bool:
        return all(part.matches(entry) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]

    def matches(self, entry: Mapping[str, Any]) -> bool:
        return any(part.matches(entry) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    part: Node

    def matches(self, entry: Mapping[str, Any]) -> bool:
        return not self.part.matches(entry)


Node = Comparison | And | Or | Not
_POSITIVE = {"!=": "=", "!~": "=~"}
SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
"""google.logging.type.LogSeverity, in order."""


def parse_filter(text: str, field: str = "filter") -> Node:
    """Raises Invalid. An empty filter matches everything."""
    return _Parser(text, field).parse()


def required(node: Node, path: tuple[str, ...], op: str = "=") -> str | None:
    """The value that every match must have at `path`, if the filter says so outright."""
    match node:
        case Comparison() if node.path == path and node.op == op:
            return node.value
        case And():
            return next((v for part in node.parts if (v := required(part, path, op)) is not None), None)
    return None


class _Parser:
    def __init__(self, text: str, field: str) -> None:
        self._field, self._depth = field, 0
        self._tokens = list(self._scan(text))
        self._position = 0

    def parse(self) -> Node:
        if not self._tokens:
            return And(())
        node = self._expression()
        if self._peek() is not None:
            self._fail(f"did not expect {self._peek()!r}")
        return node

    def _scan(self, text: str) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(text):
            if text[position].isspace():
                position += 1
                continue
            match = _TOKEN.match(text, position)
            if match is None:
                self._fail(f"cannot read {text[position : position + 20]!r}")
            elif match.lastgroup != "comment":
                yield str(match.lastgroup), match[0]
            position = match.end() if match else len(text)

    def _expression(self) -> Node:
        """Terms joined by AND, or just side by side."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"is nested deeper than {_MAX_DEPTH} levels")
        parts = [self._or()]
        while self._peek() not in (None, ")"):
            self._take("AND")
            parts.append(self._or())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _or(self) -> Node:
        parts = [self._not()]
        while self._take("OR"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _not(self) -> Node:
        negated = False
        while self._take("NOT") or self._take("-"):
            negated = not negated
        if self._take("("):
            node = self._expression()
            self._expect(")")
        else:
            node = self._comparison()
        return Not(node) if negated else node

    def _comparison(self) -> Node:
        path = [self._name()]
        while self._take("."):
            path.append(self._name())
        op = self._peek()
        if op not in _COMPARE or self._kind() != "op":
            return Comparison((), ":", ".".join(path))
        self._position += 1
        if self._take("("):
            node = self._choice(tuple(path), op)
            self._expect(")")
            return node
        return self._compared(tuple(path), op)

    def _choice(self, path: tuple[str, ...], op: str) -> Node:
        """`field = (a OR b)`, `field : (a AND b)`."""
        parts: list[Node] = [self._compared(path, op)]
        joiner = And if self._peek() == "AND" else Or
        while self._take("OR") or self._take("AND"):
            parts.append(self._compared(path, op))
        return joiner(tuple(parts))

    def _compared(self, path: tuple[str, ...], op: str) -> Comparison:
        value = self._value()
        if op in ("=~", "!~"):
            try:
                _pattern(value)
            except re2.error as error:
                self._fail(f"{value!r} is no regular expression: {error}")
        return Comparison(path, op, value)

    def _name(self) -> str:
        kind, text = self._next("a field or a text")
        if kind == "op":
            self._fail(f"expected a field or a text, found {text!r}")
        return _unquoted(text) if kind == "string" else text

    def _value(self) -> str:
        """Quoted, or bare: then it may hold dots, colons and hyphens, up to the next space or parenthesis."""
        kind, text = self._next("a value")
        if kind == "string":
            return _unquoted(text)
        if text in "()":
            self._fail(f"expected a value, found {text!r}")
        while (following := self._peek()) is not None and (following in (".", ":", "-") or text[-1] in ".:-"):
            if following in ("AND", "OR", "NOT", "(", ")"):
                break
            text += self._next("a value")[1]
        return text

    def _peek(self) -> str | None:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else None

    def _kind(self) -> str:
        return self._tokens[self._position][0]

    def _take(self, text: str) -> bool:
        if self._peek() == text:
            self._position += 1
            return True
        return False

    def _next(self, what: str) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            self._fail(f"ends where {what} should be")
        self._position += 1
        return self._tokens[self._position - 1]

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(f"expected {text!r}, found {self._peek() or 'the end'!r}")

    def _fail(self, problem: str) -> None:
        raise Invalid.field(self._field, f"Unparseable filter: {problem}")


@lru_cache(maxsize=64)
def _pattern(text: str) -> Any:
    """RE2, as Google has it: no expression makes it take longer than the text is long. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What is at `path`; a repeated field has several. Keys with dots in them may be written with or without quotes."""
    if not path:
        yield from value if isinstance(value, list) else [value]
        return
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
        return
    if isinstance(value, Mapping):
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            if key in value:
                yield from _values(value[key], path[length:])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


def _compare(found: Any, op: str, wanted: str, path: tuple[str, ...]) -> bool:
    if isinstance(found, Mapping):
        return op == ":" and (wanted == "*" or wanted in found)
    text = str(found).lower() if isinstance(found, bool) else str(found)
    if op == ":":
        return wanted == "*" or wanted.lower() in text.lower()
    if op == "=~":
        return _pattern(wanted).search(text) is not None
    left, right = _ordered(text, wanted, path)
    match op:
        case "=":
            return bool(left == right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "<":
            return bool(left < right)
    return bool(left <= right)


def _ordered(left: str, right: str, path: tuple[str, ...]) -> tuple[Any, Any]:
    """Both as ranks, times or numbers where that is what they are; texts are compared without regard to case."""
    conversions: list[Callable[[str], Any]] = [_time, float]
    if path[-1] == "severity":
        conversions.insert(0, lambda text: SEVERITIES.index(text.upper()))
    for convert in conversions:
        try:
            return convert(left), convert(right)
        except ValueError:
            continue
    return left.lower(), right.lower()


def _time(text: str) -> float:
    if len(text) < 10 or text[4:5] != "-":
        raise ValueError(text)
    return from_rfc3339(text)
