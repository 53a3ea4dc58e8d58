"""Folders of an NFS server, mounted by the system's own mount.nfs, which knows how to talk to each version.

Without locks, as on Cloud Run (contract §13.2). A server that does not answer costs an instance its start, after a
while that is bounded, and nobody else anything.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from homerun.engine.base import NfsVolume
from homerun.lib.errors import Invalid

PATIENCE = 30
"""Seconds, as long as Cloud Run waits for a volume."""
_NO_NFS = "No such device"
_OPTIONS = "nolock,nosuid,nodev,retry=0"


def mount_nfs(volume: NfsVolume, target: Path, patience: float = PATIENCE) -> None:
    """Raises Invalid: mount.nfs is missing, the server does not answer, or it refuses; the message says which."""
    program = shutil.which("mount.nfs")
    what = f"the volume {volume.name} ({volume.server}:{volume.export})"
    if program is None:
        raise Invalid(f"{what} needs mount.nfs, which is not installed: apt-get install nfs-common")
    options = _OPTIONS + (",ro" if volume.read_only else "")
    server = f"[{volume.server}]" if ":" in volume.server else volume.server
    command = [program, f"{server}:{volume.export}", str(target), "-o", options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Invalid(f"{what} cannot be mounted: {volume.server} did not answer within {patience:g} s") from None
    if done.returncode:
        said = " ".join(done.stderr.split()).removeprefix("mount.nfs: ") or f"exit code {done.returncode}"
        raise Invalid(f"{what} cannot be mounted: {'this kernel has no NFS' if said == _NO_NFS else said}")
