"""The outcome of a chaos run as tables, and their place in docs/reliability.md."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.chaos.ledger import Ledger
from bench.support import table

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEADING = "## What a run found"


def by_fault(ledger: Ledger) -> dict[str, int]:
    """Requests that broke or were refused, by the first fault that excuses them."""
    found: Counter[str] = Counter()
    for request in ledger.requests:
        if request.outcome != "ok":
            excuse = next((fault.name for fault in ledger.faults if fault.excuses(request)), "nothing")
            found[excuse] += 1
    return dict(found)


def render(results: Mapping[str, Any]) -> str:
    counts, about = results["counts"], results["machine"]
    names = sorted({fault["name"] for fault in results["faults"]})
    rows = []
    for name in names:
        back = [f["recovered"] for f in results["faults"] if f["name"] == name and f["recovered"] is not None]
        middle, most = (f"{statistics.median(back):.1f}", f"{max(back):.1f}") if back else ("", "")
        times = sum(fault["name"] == name for fault in results["faults"])
        rows.append([name, str(times), str(results["broken"].get(name, 0)), middle, most])
    faults = table(["fault", "times", "requests lost", "s until all answer", "most"], rows)
    what = table(["what", "number"], [[name, f"{number:,}"] for name, number in counts.items()])
    sizes = results["processes"]
    processes = table(
        ["process", "descriptors before", "after", "MiB before", "after", "most"],
        [
            [
                role,
                f"{sizes['before'][role]['descriptors']}",
                f"{sizes['after'][role]['descriptors']}",
                f"{sizes['before'][role]['mib']:.0f}",
                f"{sizes['after'][role]['mib']:.0f}",
                f"{sizes['most'].get(role, 0):.0f}",
            ]
            for role in sizes["before"]
            if role in sizes["after"]
        ],
    )
    problems = "\n".join(f"- {text}" for text in results["problems"]) or "Nothing was otherwise than it should be."
    where = f"{about['cores']} cores, {about['memory_gib']} GiB, Linux {about['kernel']}, {about['at']} UTC"
    run = f"{results['seconds'] / 60:.1f} minutes, seed {results['seed']}; {about['cpu']}, {where}."
    return f"{run}\n\n{faults}\n\n{what}\n\n{processes}\n\n{problems}"


def write(results: Mapping[str, Any]) -> None:
    """Into the page, in place of the last run."""
    page = PAGE.read_text()
    section = f"{HEADING}\n\n`scripts/chaos --minutes {results['seconds'] / 60:.0f}`: {render(results)}\n"
    pattern = re.compile(rf"^{re.escape(HEADING)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _: f"{section}\n", page).rstrip() + "\n")
