"""SQL lives in .sql files; this reads them. A statement starts at `-- name: NAME` and goes to the next one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)
_MIGRATION = re.compile(r"^(\d{3})_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str


def parse(text: str) -> Mapping[str, str]:
    """Raises ValueError for a name that is used twice or has no statement."""
    _, *pieces = _NAME.split(text)
    found: dict[str, str] = {}
    for name, block in zip(pieces[::2], pieces[1::2], strict=True):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("--")]
        if name in found or not lines:
            raise ValueError(f"query {name} {'is there twice' if name in found else 'has no statement'}")
        found[name] = "\n".join(lines)
    return found


@cache
def queries() -> Mapping[str, str]:
    return parse((files(__package__) / "queries.sql").read_text())


@cache
def migrations() -> Sequence[Migration]:
    """In order, numbered 1, 2, 3, … without gaps."""
    folder = sorted((files(__package__) / "migrations").iterdir(), key=lambda file: file.name)
    named = [(match, file) for file in folder if (match := _MIGRATION.match(file.name))]
    found = [Migration(int(match[1]), match[2], file.read_text()) for match, file in named]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered 1, 2, 3, …: {[migration.number for migration in found]}")
    return found
