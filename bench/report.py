"""Runs the benchmarks one after the other and writes what they print into docs/performance.md.

python -m bench.report [NAME ...]       all of them without names; those not named keep their section
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bench.support import machine

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TITLES = {
    "coldstart": "Cold start",
    "burst": "Burst",
    "throttle": "CPU outside of requests",
    "router": "Router",
    "tls": "TLS",
    "jobs": "Jobs",
    "data_job": "A data job",
    "idle": "Idle",
    "density": "Density",
    "autoscaler": "Autoscaler",
    "engine": "Engine alone",
    "store": "Store",
    "api": "API",
}
HEAD = """# Performance

Every table here was printed by the script named above it, run by `scripts/bench` on the machine named below it. Figures
are for comparing what was measured in the same run; on another machine, run it again.
"""


def run(name: str) -> str:
    """The section of one benchmark. Raises CalledProcessError when it fails."""
    print(f"== bench.{name}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", f"bench.{name}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line.rstrip())
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, name)
    shown = "\n".join(line for line in lines if not line.startswith(("written to", "round "))).strip()
    about = machine()
    where = (
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB, Linux {about['kernel']}, {about['at']} UTC"
    )
    return f"## {TITLES[name]}\n\n`python -m bench.{name}`\n\n{shown}\n\n{where}\n"


def sections(page: str) -> dict[str, str]:
    """What the page says now, by benchmark."""
    found = {}
    for part in re.split(r"(?m)^(?=## )", page)[1:]:
        name = next((name for name, title in TITLES.items() if part.startswith(f"## {title}\n")), None)
        if name is not None:
            found[name] = part.rstrip() + "\n"
    return found


def main() -> None:
    names = sys.argv[1:] or [name for name in TITLES if (Path(__file__).parent / f"{name}.py").exists()]
    if unknown := set(names) - set(TITLES):
        sys.exit(f"no benchmark is called {', '.join(sorted(unknown))}: there are {', '.join(TITLES)}")
    for name in names:
        section = run(name)
        made = sections(PAGE.read_text()) if PAGE.exists() else {}
        made[name] = section
        PAGE.write_text("\n".join([HEAD, *(made[name] for name in TITLES if name in made)]))


if __name__ == "__main__":
    main()
