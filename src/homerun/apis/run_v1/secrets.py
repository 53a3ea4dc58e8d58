"""Secrets of other projects: v2 names them in full, v1 by an alias that an annotation defines (contract §13.1).

run.googleapis.com/secrets: alias:projects/N/secrets/S,other:projects/M/secrets/T
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from homerun.model.names import last

_FOREIGN = re.compile(r"projects/[^/,:]+/secrets/[^/,:\s]+")


def parse_aliases(text: str) -> dict[str, str]:
    """alias -> full name. Raises ValueError saying what would be right."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        alias, _, name = pair.partition(":")
        if not alias or not _FOREIGN.fullmatch(name):
            raise ValueError(f"must be a list of alias:projects/PROJECT/secrets/SECRET, and has {pair!r}")
        found[alias] = name
    return found


def format_aliases(aliases: Mapping[str, str]) -> str:
    return ",".join(f"{alias}:{name}" for alias, name in sorted(aliases.items()))


def aliases_for(spec: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Aliases for all secrets of other projects in a v2 template: those that are `known`, else the secret's own id."""
    names = list(dict.fromkeys(_secrets(spec)))
    made = {alias: name for alias, name in known.items() if name in names}
    taken = {*made, *(name for name in names if not _FOREIGN.fullmatch(name))}
    for name in names:
        if _FOREIGN.fullmatch(name) and name not in made.values():
            alias, number = last(name), 2
            while alias in taken:
                alias, number = f"{last(name)}-{number}", number + 1
            taken.add(alias)
            made[alias] = name
    return made


def _secrets(spec: Mapping[str, Any]) -> Iterator[str]:
    """Every secret that a v2 template names."""
    holders = [*spec.get("containers", ()), *(spec.get("sandboxes") or {}).get("templates", ())]
    for holder in holders:
        for variable in holder.get("env", ()):
            yield (variable.get("valueSource") or {}).get("secretKeyRef", {}).get("secret", "")
    for volume in spec.get("volumes", ()):
        yield (volume.get("secret") or {}).get("secret", "")
