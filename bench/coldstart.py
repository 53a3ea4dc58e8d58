"""Cold start: from a request for a service at zero to the first byte of its answer, by phase, for several kinds of app.

Contestants take turns, start by start, in the same run and with the same image:
    image       homerun, with nothing made ahead
    standby     homerun, with an instance that was made ahead (docs/starts.md)
    checkpoint  homerun, going on from an earlier instance; of apps that boot for a second or more, where CRIU is
    containerd  `ctr run` with runc, on the host's network (it sets up none)
    podman      `podman run` with crun, its bridge network and a published port
    bare        the program alone, in a folder of its files: what the app itself needs
For homerun the clock runs from before the client's connect until the answer is read, for the others from before the
command until the port answers (asked every half millisecond). `overhead` is the median beyond that of `bare`.

    python -m bench.coldstart       root, an OCI runtime wanted; writes bench/results/coldstart.json
    python -m bench.coldstart --apps static --rounds 5
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from bench.containers import App, Bare, Peer, containerd, podman
from bench.support import machine, percentile, table, write_results
from tests.support.criu import CRIU
from tests.support.daemon import Daemon
from tests.support.images import app_layer, compile_app, make_image

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache/bench"
PHASES = ("queue", "network", "mount", "create", "restore", "start", "listen")
COMMANDS = {
    "flask": ["gunicorn", "--workers", "1", "app:app"],
    "node": ["node", "/srv/server.js"],
    "java": ["java", "-cp", "/srv", "Server"],
    "slow": ["python3", "/srv/slow.py"],
}
"""`slow`: Python that computes for two seconds before it listens, as large imports do."""
ROUNDS = {"static": 40, "flask": 12, "node": 12, "java": 12, "slow": 6}
FILES = {"slow": "flask"}
"""Of another one's image."""


def app(name: str, folder: Path) -> App:
    if name == "static":
        archive = make_image(folder / "static.tar", [app_layer()], cmd=["/app", "serve"])
        return App(archive, [str(compile_app()), "serve"])
    files = FILES.get(name, name)
    subprocess.run([ROOT / "scripts/bench-images", files], check=True)
    return App(CACHE / f"{files}.tar", COMMANDS[name], CACHE / files)


class Homerun:
    """One service of one daemon."""

    def __init__(self, daemon: Daemon, name: str, made: App, origin: str) -> None:
        self._daemon, self._name, self._origin = daemon, name, origin
        self.phases: dict[str, list[float]] = {}
        container: dict[str, Any] = {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
        if name != "static":
            container |= {"command": [made.command[0]], "args": list(made.command[1:])}
        daemon.deploy(name, f"oci-archive:{made.archive}", container=container)

    def start(self) -> float:
        self._daemon.until(self._at_rest, timeout=60)
        began = time.perf_counter()
        status, _ = self._daemon.get(self._name)
        took = (time.perf_counter() - began) * 1000
        assert status == 200
        self._note()
        return took

    def _at_rest(self) -> bool:
        explained = self._daemon.explain(self._name)
        ready = {
            "image": not explained["standbys"],
            "standby": explained["standbys"],
            "checkpoint": self._written(explained),
        }
        return not explained["instances"] and bool(ready[self._origin])

    @staticmethod
    def _written(explained: Any) -> bool:
        if why := [each["whyNot"] for each in explained["checkpoints"] if "whyNot" in each]:
            raise SystemExit(f"there is no checkpoint: {why[0]}")
        return bool(explained["checkpoints"])

    def _note(self) -> None:
        start = self._daemon.explain(self._name)["coldStarts"][-1]
        assert start["origin"] == self._origin
        for phase, seconds in start["phases"].items():
            self.phases.setdefault(phase, []).append(seconds * 1000)


def measure(name: str, rounds: int, folder: Path, daemons: Mapping[str, Daemon]) -> tuple[dict[str, Any], ...]:
    """Milliseconds of each start by contestant, and medians of phases by ours."""
    made = app(name, folder)
    kinds = ("image", "checkpoint") if name == "slow" else ("image", "standby")
    ours = {kind: Homerun(daemons[kind], name, made, kind) for kind in kinds if kind in daemons}
    command = made.command if name != "static" else ["/app", "serve"]
    with ExitStack() as stack:
        inside = App(made.archive, command, env=made.env)
        peers: dict[str, Peer | None] = {}
        if name not in FILES:  # the same image again would say nothing new of them
            peers["containerd"] = stack.enter_context(containerd(inside))
            peers["podman"] = stack.enter_context(podman(made.archive, command))
        contestants: dict[str, Callable[[], float]] = {kind: one.start for kind, one in ours.items()}
        contestants |= {kind: peer.start for kind, peer in peers.items() if peer is not None}
        contestants["bare"] = Bare(made).start
        took: dict[str, list[float]] = {kind: [] for kind in contestants}
        for _ in range(rounds):
            for kind, start in contestants.items():
                took[kind].append(start())
    phases = {kind: {phase: median(values) for phase, values in one.phases.items()} for kind, one in ours.items()}
    return took, phases


def rows(name: str, took: Mapping[str, list[float]]) -> Iterator[list[str]]:
    bare, fastest = median(took["bare"]), median(took["image"])
    for kind, values in took.items():
        middle = median(values)
        cells = (f"{percentile(values, p):.1f}" for p in (50, 95, 99))
        overhead = "-" if kind == "bare" else f"{middle - bare:.1f}"
        yield [f"{name}, {kind}", *cells, overhead, f"{middle / fastest:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", default=",".join(ROUNDS), help="comma separated")
    parser.add_argument("--rounds", type=int, help="of each app; by default, fewer of the slower ones")
    options = parser.parse_args()
    times, phases = {}, {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = {
            "image": Daemon(folder / "image", idle_timeout=0.2, standby=0),
            "standby": Daemon(folder / "standby", idle_timeout=0.2),
        }
        if CRIU:
            made["checkpoint"] = Daemon(folder / "checkpoint", idle_timeout=0.2, criu=CRIU)
        else:
            print("CRIU is not installed (scripts/criu .cache/criu): measured without checkpoints")
        with ExitStack() as stack:
            daemons = {kind: stack.enter_context(daemon) for kind, daemon in made.items()}
            for name in options.apps.split(","):
                times[name], phases[name] = measure(name, options.rounds or ROUNDS[name], folder, daemons)
    shown = [row for name, took in times.items() for row in rows(name, took)]
    print(table(["start, ms", "p50", "p95", "p99", "overhead p50", "x image"], shown))
    print()
    parts = [
        [f"{name}, {kind}", *(f"{found[phase]:.1f}" if phase in found else "-" for phase in PHASES)]
        for name, kinds in phases.items()
        for kind, found in kinds.items()
    ]
    print(table(["phase, median ms", *PHASES], parts))
    write_results("coldstart", {"machine": machine(), "ms": times, "phases_ms": phases})


if __name__ == "__main__":
    main()
