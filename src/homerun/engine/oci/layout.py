"""Where the engine keeps what in the state folder, and the tag that marks this homerun's things on the host.

STATE/
  engine.lock            held while an engine is open
  network.json           the subnet, so that a restart keeps it
  runtime.json           which OCI runtime works here, since this boot
  sandbox/               the mount point of every instance, each in a mount namespace of its own; for mapped users in
                         /run/homerun-TAG instead, which whoever is not root can enter
  volumes/               likewise, of the volumes of each; those on disk are files of which there is no name in STATE
  instances/ID/          the record of an instance: spec.json, process.json, ready, exit.json, conmon's exit files
  logs/KEY.log           output of a container, in conmon's k8s-file format; KEY.held is what is being read; labels in
                         logs/index.jsonl
  run/RUNTIME/KEY/       the OCI runtime's own state
  checkpoints/           instances that were written down, to go on from (checkpoints.py)
KEY is the ID of the instance, of several containers with + and the container's name (instance.py), and of what a
container sent to syslog with ~ at its end (syslog.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """`mapped`: root in a container is not root here (id_map.py), so the way to its files must be open to everybody."""

    state: Path
    mapped: bool = False

    @property
    def tag(self) -> str:
        """Six hex digits: part of the names of cgroups, network devices and the nft table."""
        return hashlib.sha256(str(self.state.resolve()).encode()).hexdigest()[:6]

    @property
    def lock(self) -> Path:
        return self.state / "engine.lock"

    @property
    def network(self) -> Path:
        return self.state / "network.json"

    @property
    def runtime(self) -> Path:
        return self.state / ("runtime-mapped.json" if self.mapped else "runtime.json")

    @property
    def sandbox(self) -> Path:
        return Path("/run") / self.cgroup if self.mapped else self.state / "sandbox"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    @property
    def instances(self) -> Path:
        return self.state / "instances"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def checkpoints(self) -> Path:
        return self.state / "checkpoints"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def cgroup(self) -> str:
        return f"homerun-{self.tag}"

    def make(self) -> None:
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.sandbox, self.volumes, self.instances, self.logs, self.run):
            folder.mkdir(mode=0o711 if self.mapped and folder == self.sandbox else 0o700, exist_ok=True)

    def clear(self) -> None:
        """Nothing of it is left outside of `state`."""
        if self.mapped:
            self.sandbox.rmdir()
