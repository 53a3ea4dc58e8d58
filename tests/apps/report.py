"""The outcome of trials, for people and for programs."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.support import machine
from bench.support import table as aligned

HEAD = """\
# Applications

Applications that nobody here wrote, from Debian's packages, PyPI and npm, run by homerun as they are: with the
configuration that their packages bring, and the command that their packages or official images have. Written by
`scripts/apps`, which builds, deploys and tries them; the Dockerfiles are in `tests/apps/images`, the checks beside.
nginx is tried in each run of `scripts/test` as well.

"""

NOTES = """\
Image: all layers, with the base of the examples (Debian, Python, Flask). Cold start: from request to answer, from zero
instances, the median of three. Speed: requests a second over 8 connections, by wrk on the same cores, or the time of a
job's executions.
"""


def summary(name: str) -> str:
    """What an application is tried for: the first line of its trial."""
    source = Path(__file__).with_name(f"{name}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line for each application."""
    header = ["application", "version", "image, MiB", "cold start, ms", "speed", "checks", "result"]
    return aligned(header, [_row(row) for row in rows])


def _row(row: Mapping[str, Any]) -> list[str]:
    failed = [check["what"] for check in row["checks"] if check["error"]]
    cold = "–" if row["cold_ms"] is None else str(row["cold_ms"])
    result = f"failed: {'; '.join(failed)}" if failed else "well"
    return [
        row["name"],
        row["version"],
        str(row["image_mib"]),
        cold,
        row["figure"] or "–",
        str(len(row["checks"])),
        result,
    ]


def merge(path: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Into the file of what is known: the latest row of each application, by name."""
    known = json.loads(path.read_text())["applications"] if path.exists() else {}
    known |= {row["name"]: row for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "applications": known}, indent=1) + "\n")
    return known


def write_page(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    about = machine()
    parts = [HEAD, table(rows), "\n\n"]
    where = (
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB, Linux {about['kernel']}, {about['at']} UTC"
    )
    where += f"; load average up to {max(row['load'] for row in rows):.0f}, with whatever else ran."
    parts += [NOTES, where, "\n\n## What was checked\n"]
    for row in rows:
        parts.append(f"\n### {row['name']}\n\n{summary(row['name'])}\n\n")
        parts += [f"- {'**failed**: ' if check['error'] else ''}{check['what']}\n" for check in row["checks"]]
    path.write_text("".join(parts))
