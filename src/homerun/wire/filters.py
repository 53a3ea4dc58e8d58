"""Google's filter language (AIP-160, as Cloud Logging has it): parsed into a tree, then asked about JSON objects.

    resource.type = cloud_run_job AND labels."run.googleapis.com/execution_name" = x AND severity >= ERROR
    NOT textPayload:"health" AND (httpRequest.status>=500 OR jsonPayload.user=("a" OR "b"))
    log_id("run.googleapis.com/requests") -ip_in_net(httpRequest.remoteIp, "10.0.0.0/8") SEARCH("timed out")

Comparisons side by side are joined by AND, which binds weaker than OR, and that weaker than NOT (as Google has it). A
bare word matches when any text of the object contains it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

import re2

from homerun.lib.errors import Invalid
from homerun.model.severity import SEVERITIES, severity_number
from homerun.wire.filter_functions import ABSENT, FUNCTIONS
from homerun.wire.filter_nodes import And, Comparison, Node, Not, Or
from homerun.wire.filter_values import SEVERITY, TIMES, pattern, time

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<op>!=|>=|<=|=~|!~|[=<>:()\-.,])
      | (?P<word>[^\s"'=<>:()!,.]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{3}|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_COMPARE = ("=", "!=", ">", ">=", "<", "<=", ":", "=~", "!~")
_MAX_DEPTH = 50
_MAX_LENGTH = 20_000
_MAX_PATH = 100


def parse_filter(text: str, field: str = "filter") -> Node:
    """Raises Invalid. An empty filter matches everything."""
    return _Parser(text, field).parse()


class Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Parser:
    def __init__(self, text: str, field: str) -> None:
        self._field, self._depth = field, 0
        if len(text) > _MAX_LENGTH:
            self._fail(f"it has {len(text)} characters, of at most {_MAX_LENGTH}")
        self._tokens = list(self._scan(text))
        self._position = 0

    def parse(self) -> Node:
        if not self._tokens:
            return And(())
        node = self._expression(self._term)
        if self._peek() is not None:
            self._fail(f"did not expect {self._peek()!r}")
        return node

    def _scan(self, text: str) -> Iterator[Token]:
        position = 0
        while position < len(text):
            if text[position].isspace():
                position += 1
                continue
            match = _TOKEN.match(text, position)
            if match is None:
                self._fail(f"cannot read {text[position : position + 20]!r}")
            elif match.lastgroup != "comment":
                yield Token(str(match.lastgroup), match[0], position)
            position = match.end() if match else len(text)

    # Boolean expressions: of terms, or behind an operator of values

    def _expression(self, leaf: Callable[[], Node]) -> Node:
        """Leaves joined by AND, or just side by side."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"is nested deeper than {_MAX_DEPTH} levels")
        parts = [self._or(leaf)]
        while self._peek() not in (None, ")"):
            self._take("AND")
            parts.append(self._or(leaf))
        self._depth -= 1
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _or(self, leaf: Callable[[], Node]) -> Node:
        parts = [self._not(leaf)]
        while self._take("OR"):
            parts.append(self._not(leaf))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _not(self, leaf: Callable[[], Node]) -> Node:
        negated = False
        # Among values a hyphen is the sign of a number.
        while self._take("NOT") or (leaf == self._term and self._take("-")):
            negated = not negated
        if self._take("("):
            node = self._expression(leaf)
            self._expect(")")
        else:
            node = leaf()
        return Not(node) if negated else node

    # Terms

    def _term(self) -> Node:
        """A comparison, a call, or a bare text."""
        first = self._position
        path = self._path()
        if self._is_call(first):
            return self._call(path[0])
        op = self._peek()
        if op not in _COMPARE or self._tokens[self._position].kind != "op":
            return Comparison((), ":", ".".join(path))
        self._position += 1
        if self._take("("):
            node = self._expression(lambda: self._compared(path, op))
            self._expect(")")
            return node
        return self._compared(path, op)

    def _compared(self, path: tuple[str, ...], op: str) -> Comparison:
        value = self._value(literally=op in ("=~", "!~"))
        try:
            if op in ("=~", "!~"):
                pattern(value)
            elif path == SEVERITY and op != ":":
                severity_number(value)
            elif path in TIMES and op != ":":
                time(value)
        except re2.error as error:
            self._fail(f"{value!r} is no regular expression: {error}")
        except ValueError:
            wanted = "an RFC 3339 time" if path in TIMES else f"one of {', '.join(SEVERITIES)}"
            self._fail(f"{'.'.join(path)} must be compared with {wanted}, not with {value!r}")
        return Comparison(path, op, value)

    def _is_call(self, first: int) -> bool:
        """A word with a parenthesis right behind it; `word (…)` is two terms."""
        name = self._tokens[first]
        if self._position != first + 1 or name.kind != "word" or self._peek() != "(":
            return False
        return self._tokens[self._position].start == name.start + len(name.text)

    def _call(self, name: str) -> Node:
        self._expect("(")
        arguments: list[tuple[str, ...]] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._path())
        function = FUNCTIONS.get(name.lower())
        if function is None:
            why = ABSENT.get(name.lower(), f"write {', '.join(FUNCTIONS)}, or quote what is a text")
            self._fail(f"there is no function {name} here: {why}")
        try:
            return function(arguments)
        except ValueError as error:
            self._fail(f"{name}: {error}")

    # Words

    def _path(self) -> tuple[str, ...]:
        path = [self._name()]
        while self._take("."):
            path.append(self._name())
        if len(path) > _MAX_PATH:
            self._fail(f"a field's path has at most {_MAX_PATH} parts")
        return tuple(path)

    def _name(self) -> str:
        token = self._next("a field or a text")
        if token.kind == "op":
            self._fail(f"expected a field or a text, found {token.text!r}")
        return _unquoted(token.text) if token.kind == "string" else token.text

    def _value(self, *, literally: bool = False) -> str:
        """Quoted, or bare: then it may hold dots, colons and hyphens, up to whatever else comes."""
        token = self._next("a value")
        if token.kind == "string":
            return _unquoted(token.text, literally=literally)
        if token.kind == "op" and token.text not in ("-", "."):
            self._fail(f"expected a value, found {token.text!r}")
        text = token.text
        while (following := self._following(token.start + len(text))) is not None:
            text += following.text
        return text

    def _following(self, end: int) -> Token | None:
        """The next token, taken, if it belongs to the bare value that goes up to `end`."""
        token = self._tokens[self._position] if self._position < len(self._tokens) else None
        if token is None or token.start != end or not (token.kind == "word" or token.text in (".", ":", "-")):
            return None
        self._position += 1
        return token

    def _peek(self) -> str | None:
        return self._tokens[self._position].text if self._position < len(self._tokens) else None

    def _take(self, text: str) -> bool:
        if self._peek() == text:
            self._position += 1
            return True
        return False

    def _next(self, what: str) -> Token:
        if self._position >= len(self._tokens):
            self._fail(f"ends where {what} should be")
        self._position += 1
        return self._tokens[self._position - 1]

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(f"expected {text!r}, found {self._peek() or 'the end'!r}")

    def _fail(self, problem: str) -> NoReturn:
        raise Invalid.field(self._field, f"Unparseable filter: {problem}")


def _unquoted(text: str, *, literally: bool = False) -> str:
    """Without its quotes and escapes. `literally`: escapes of a regular expression are its own."""
    return _ESCAPE.sub(lambda match: _escaped(match[1], literally=literally), text[1:-1])


def _escaped(escape: str, *, literally: bool) -> str:
    if escape in "\"'\\":
        return escape if escape != "\\" or not literally else "\\\\"
    if literally:
        return f"\\{escape}"
    if escape in _LETTERS:
        return _LETTERS[escape]
    if len(escape) == 1:
        return escape
    number = int(escape, 8) if escape.isdigit() else int(escape[1:], 16)
    return chr(number) if number <= 0x10FFFF else ""
