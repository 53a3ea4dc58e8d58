"""`homerun doctor`: what this machine has and lacks, each with the command that helps."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from homerun.engine.oci.doctor import Check, checks
from homerun.lib.errors import Invalid
from homerun.settings import Settings


async def run(arguments: Sequence[str]) -> int:
    """Prints a table, or JSON with `--format json`. 0: homerun can run here, 1: something essential is missing."""
    if list(arguments) not in ([], ["--format", "table"], ["--format", "json"]):
        raise Invalid(f"doctor takes --format table or --format json, not {' '.join(arguments)}")
    found = await checks(Settings().state)
    print(json.dumps([asdict(check) for check in found], indent=2) if "json" in arguments else _table(found))
    sys.stdout.flush()
    return 0 if all(check.ok or not check.essential for check in found) else 1


def _table(found: Sequence[Check]) -> str:
    width = max(len(check.name) for check in found)
    return "\n".join(line for check in found for line in _lines(check, width))


def _lines(check: Check, width: int) -> list[str]:
    mark = "ok" if check.ok else "MISSING" if check.essential else "note"
    lines = [f"{mark:<8}{check.name:<{width}}  {check.found}"]
    return lines if check.ok or not check.remedy else [*lines, f"{'':<8}{'':<{width}}  -> {check.remedy}"]
