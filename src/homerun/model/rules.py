"""Rules as data: which field, what must hold, who says so, and the check itself.

The tables made of them (service_rules.py, container_rules.py, …) drive the checks and make the documentation
(docs/limits.md), so that neither can say what the other does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from homerun.lib.errors import Violation
from homerun.model.paths import find, join

HOMERUN = "homerun"
"""The source of a rule that is ours alone: what homerun cannot do yet."""

Wrong = Iterable[tuple[str, str]]
"""What breaks a rule: path below the field that it is about (empty for the field itself), and what is wrong."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`path`: of the fields it is about, below what the table is for (paths.py). `source`: a contract section.

    `wrong(value, owner)`: what breaks it, given such a field's value and the id of the service, job or worker pool.
    """

    path: str
    says: str
    source: str
    wrong: Callable[[Any, str], Wrong]
    at: str | None = None
    """Where the check looks, if that is not `path`: a rule about two fields looks at what has both."""


class Limit(Protocol):
    """What one value must be: `str(limit)` says it."""

    def complaint(self, value: Any) -> str | None: ...


def field(path: str, limit: Limit, source: str) -> Rule:
    """A rule about one field by itself. Zero is the same as absent."""

    def wrong(value: Any, owner: str) -> Iterator[tuple[str, str]]:
        if value != 0 and (problem := limit.complaint(value)):
            yield "", problem

    return Rule(path, str(limit), source, wrong)


def required(path: str, why: str, source: str) -> Rule:
    above, _, key = path.rpartition(".")

    def wrong(value: Any, owner: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping) and value.get(key) in (None, "", []):
            yield key, f"is required: {why}"

    return Rule(path, "required", source, wrong, at=above)


def below(path: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """A table for a part, as rules for the whole."""

    def moved(rule: Rule) -> Rule:
        at = None if rule.at is None else join(path, rule.at)
        return replace(rule, path=join(path, rule.path), at=at)

    return tuple(moved(rule) for rule in rules)


def check(body: Any, rules: Iterable[Rule], owner: str = "", at: str = "") -> Iterator[Violation]:
    """Everything that `body` breaks. `at`: its own path. Empty text is the same as absent."""
    for rule in rules:
        for path, value in find(body, rule.path if rule.at is None else rule.at):
            for rest, problem in rule.wrong(value, owner) if value != "" else ():
                yield Violation(join(at, join(path, rest)), problem)
