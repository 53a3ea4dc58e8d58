"""Runs the benchmarks one after the other and writes what they print into docs/performance.md.

python -m bench.report [NAME ...]       all of them without names; those not named keep their section
python -m bench.report "jobs --tasks 2000"      with options; of the same one twice, the second is put below the first
"""

from __future__ import annotations

import re
import shlex
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


def run(name: str, options: list[str]) -> str:
    """What one benchmark says, and where. Raises CalledProcessError when it fails."""
    command = shlex.join([f"bench.{name}", *options])
    print(f"== {command}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", f"bench.{name}", *options], stdout=subprocess.PIPE, text=True)
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
    return f"`python -m {command}`\n\n{shown}\n\n{where}\n"


def sections(page: str) -> dict[str, str]:
    """What the page says now, by benchmark."""
    found = {}
    for part in re.split(r"(?m)^(?=## )", page)[1:]:
        name = next((name for name, title in TITLES.items() if part.startswith(f"## {title}\n")), None)
        if name is not None:
            found[name] = part.rstrip() + "\n"
    return found


def main() -> None:
    commands = [shlex.split(argument) for argument in sys.argv[1:]] or [[name] for name in TITLES]
    if unknown := {name for name, *_ in commands} - set(TITLES):
        sys.exit(f"no benchmark is called {', '.join(sorted(unknown))}: there are {', '.join(TITLES)}")
    done: set[str] = set()
    for name, *options in commands:
        said = run(name, options)
        made = sections(PAGE.read_text()) if PAGE.exists() else {}
        made[name] = f"{made[name]}\n{said}" if name in done else f"## {TITLES[name]}\n\n{said}"
        done.add(name)
        PAGE.write_text("\n".join([HEAD, *(made[name] for name in TITLES if name in made)]))


if __name__ == "__main__":
    main()
