"""Real applications that nobody here wrote, run unchanged, and what came of it: python -m tests.apps [NAME ...].

Builds what is not built, starts a homerun of its own, tries one after the other, and prints a table. Once all have been
tried it also writes docs/applications.md, with the latest of each. Exit code 1 if any check failed, 2 if an application
could not be had.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.apps import report
from tests.apps.images import Images, Unavailable
from tests.apps.trial import Trial
from tests.support.daemon import Daemon

NAMES = (
    *("nginx", "apache", "php", "caddy", "tomcat", "node", "django", "streamlit", "gradio", "redis"),
    *("ffmpeg", "pandas", "postgres"),
)
ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "apps"


def attempt(name: str, daemon: Daemon, images: Images, seconds: float) -> Trial:
    """All its checks. What stops a trial early is a failed check of its own. Raises Unavailable."""
    trial = Trial(name, daemon, images, rated=seconds)
    trial.image()
    try:
        importlib.import_module(f"tests.apps.{name}").run(trial)
    except Unavailable:
        raise
    except Exception as error:
        traceback.print_exc()
        with trial.check("deploys"):
            raise error
    return trial


def main() -> int:
    parser = argparse.ArgumentParser("apps", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of an application; all if none is named")
    parser.add_argument("--list", action="store_true", help="name them, and end")
    parser.add_argument("--seconds", type=float, default=3, help="for which requests are counted (default 3; 0: not)")
    parser.add_argument("--json", type=Path, default=CACHE / "applications.json", help="where the outcome is written")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name:10} {report.summary(name)}" for name in NAMES))
        return 0
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no application is called {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    if os.getuid():
        parser.error("containers need root: sudo scripts/apps")
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    known: dict[str, Any] = {}
    for name, outcome in tried(options.names or NAMES, options.seconds):
        if isinstance(outcome, Unavailable):
            missing[name] = str(outcome)
        else:
            rows.append(outcome.row())
            known = report.merge(options.json, rows)
    print("\n" + report.table(rows))
    print(f"written to {options.json}")
    if set(known) >= set(NAMES):
        report.write_page(ROOT / "docs" / "applications.md", [known[name] for name in NAMES])
    for name, why in missing.items():
        print(f"{name}: not tried: {why}")
    failed = sum(bool(check["error"]) for row in rows for check in row["checks"])
    return 1 if failed else 2 if missing else 0


def tried(names: Iterable[str], seconds: float) -> Iterator[tuple[str, Trial | Unavailable]]:
    """One after the other, each told about as it ends."""
    images = Images(CACHE)
    with tempfile.TemporaryDirectory(prefix="homerun-apps-") as folder:
        with Daemon(Path(folder) / "state", idle_timeout=2) as daemon:
            for name in names:
                began = time.monotonic()
                print(f"== {name}", flush=True)
                try:
                    trial = attempt(name, daemon, images, seconds)
                except Unavailable as why:
                    yield name, why
                    continue
                for check in trial.checks:
                    print(f"   FAILED: {check.what}\n      {check.error}" if check.error else f"   ok: {check.what}")
                print(f"   {time.monotonic() - began:.1f} s", flush=True)
                yield name, trial


if __name__ == "__main__":
    sys.exit(main())
