"""What an idle platform costs: CPU over a minute with 20 services at zero, memory of each process.

python -m bench.idle            root and an OCI runtime needed; prints a table, writes bench/results/idle.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.support import cpu_seconds, machine, memory_mib, table, write_results
from tests.support.daemon import Daemon
from tests.support.images import app_layer, make_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder) / "state", idle_timeout=1) as daemon:
        image = f"oci-archive:{make_image(Path(folder) / 'app.tar', [app_layer()], cmd=['/app', 'serve'])}"
        for number in range(options.services):
            daemon.deploy(f"idle-{number}", image)
        for number in range(options.services):
            daemon.wait_for_zero(f"idle-{number}")
        time.sleep(5)
        assert daemon.process is not None
        pids = {"up": daemon.process.pid, **daemon.children()}
        before = {role: cpu_seconds(pid) for role, pid in pids.items()}
        time.sleep(options.seconds)
        used = {role: cpu_seconds(pid) - before[role] for role, pid in pids.items()}
        memory = {role: memory_mib(pid) for role, pid in pids.items()}
    percent = {role: 100 * seconds / options.seconds for role, seconds in used.items()}
    rows = [[role, f"{percent[role]:.2f}", f"{memory[role]:.0f}"] for role in pids]
    rows.append(["all", f"{sum(percent.values()):.2f}", f"{sum(memory.values()):.0f}"])
    print(table(["process", "CPU, % of one core", "memory, MiB (PSS)"], rows))
    write_results(
        "idle",
        {
            "machine": machine(),
            "services": options.services,
            "seconds": options.seconds,
            "cpu_percent": percent,
            "memory_mib": memory,
        },
    )


if __name__ == "__main__":
    main()
