"""Cold start: first byte of a request to a service at zero, beside `podman run` of the same image plus its first answer.

Both alternate, round by round, in the same run. For homerun the clock runs from before the client's connect until its
answer is read; for podman from before `podman run -d` until the published port answers (asked every half millisecond).

    python -m bench.cold            root, an OCI runtime and podman needed; writes bench/results/cold.json
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench.support import machine, percentile, table, write_results
from tests.support.daemon import Daemon, free_port
from tests.support.images import app_layer, make_image


def wake(daemon: Daemon) -> float:
    """Milliseconds until the first answer of a service at zero."""
    daemon.until(lambda: not daemon.explain("cold")["instances"], timeout=30)
    began = time.perf_counter()
    status, _ = daemon.get("cold")
    took = (time.perf_counter() - began) * 1000
    assert status == 200
    return took


def podman(image: str, network: str) -> float:
    """Milliseconds until the first answer of a container that podman starts."""
    port = free_port()
    publish = [f"--network={network}", "-e", f"PORT={port}"] if network == "host" else ["-p", f"127.0.0.1:{port}:8080"]
    began = time.perf_counter()
    run = ["podman", "run", "-d", "--rm", "--cgroups=disabled", *publish, image]
    id = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
            break
        except OSError:
            time.sleep(0.0005)
        finally:
            connection.close()
    took = (time.perf_counter() - began) * 1000
    subprocess.run(["podman", "kill", id], check=False, capture_output=True)
    return took


def podman_network(image: str) -> str:
    """`bridge` where podman can make one on this host, else the host's network, which is less work for podman."""
    try:
        podman(image, "bridge")
    except (subprocess.CalledProcessError, OSError):
        return "host"
    return "bridge"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=100)
    options = parser.parse_args()
    ours: list[float] = []
    theirs: list[float] = []
    network = ""
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder) / "state", idle_timeout=0.2) as daemon:
        archive = make_image(Path(folder) / "app.tar", [app_layer()], cmd=["/app", "serve"])
        daemon.deploy("cold", f"oci-archive:{archive}")
        image = ""
        if shutil.which("podman"):
            pulled = subprocess.run(
                ["podman", "pull", "-q", f"oci-archive:{archive}"], check=True, capture_output=True, text=True
            )
            image = pulled.stdout.strip()
            network = podman_network(image)
        for _ in range(options.starts):
            ours.append(wake(daemon))
            if image:
                theirs.append(podman(image, network))
        phases = [i["phases"] for i in daemon.explain("cold")["instances"]]
    rows = [["homerun", *(f"{percentile(ours, p):.1f}" for p in (50, 95, 0, 100)), "1.0"]]
    if theirs:
        ratio = percentile(theirs, 50) / percentile(ours, 50)
        cells = (f"{percentile(theirs, p):.1f}" for p in (50, 95, 0, 100))
        rows.append([f"podman run ({network} network, no cgroup)", *cells, f"{ratio:.1f}"])
    else:
        print("podman is not installed: measured without a peer")
    print(table([f"{options.starts} starts, ms", "p50", "p95", "min", "max", "ratio"], rows))
    print("phases of the last start, ms:", {k: round(v * 1000, 1) for p in phases[-1:] for k, v in p.items()})
    write_results("cold", {"machine": machine(), "homerun_ms": ours, "podman_ms": theirs, "podman_network": network})


if __name__ == "__main__":
    main()
