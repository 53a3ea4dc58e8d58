"""What the engine is told of an instance's volumes, from what its template says; which folder of the host is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from homerun.engine import base
from homerun.lib.errors import Invalid
from homerun.model.volume import Bucket, CloudSql, EmptyDir, HostFolder, Nfs, SecretFiles, Volume

Files = Mapping[str, tuple[bytes, int]]
"""Path in a volume -> content and mode."""


@dataclass(frozen=True, slots=True)
class Folders:
    """`buckets`: the folder with a folder for each bucket. `allowed`: those of the host that may be mounted."""

    buckets: Path = Path("/nonexistent")
    allowed: Sequence[Path] = ()

    def bucket(self, volume: Bucket) -> base.FolderVolume:
        return base.FolderVolume(
            volume.name,
            str(self.buckets / volume.bucket),
            volume.read_only,
            volume.folder,
            remedy=f"there is no bucket {volume.bucket}: homerun buckets create {volume.bucket}",
        )

    def of_host(self, volume: HostFolder) -> base.FolderVolume:
        """Raises Invalid unless it is in a folder that was allowed when homerun was started."""
        wanted = PurePosixPath(volume.path)
        for allowed in self.allowed:
            if wanted.is_relative_to(allowed):
                inside = str(wanted.relative_to(allowed))
                remedy = f"there is no folder {allowed} on this machine"
                return base.FolderVolume(
                    volume.name, str(allowed), volume.read_only, "" if inside == "." else inside, remedy
                )
        raise Invalid(
            f"the volume {volume.name} cannot be mounted: containers may not see {volume.path}; "
            f"start homerun with --allow-host-path {volume.path} if they may"
        )


NO_FOLDERS = Folders()


def volume_specs(
    volumes: Sequence[Volume], memory: int, folders: Folders, files: Mapping[str, Files] | None = None
) -> tuple[base.Volume, ...]:
    """`memory`: bytes of all containers together. `files`: of volumes made of secrets, by name. Raises Invalid."""
    return tuple(_volume_spec(volume, memory, folders, files or {}) for volume in volumes)


def _volume_spec(volume: Volume, memory: int, folders: Folders, files: Mapping[str, Files]) -> base.Volume:
    match volume:
        case EmptyDir(on_disk=False):
            return base.MemoryVolume(volume.name, volume.size(memory))
        case EmptyDir():
            return base.DiskVolume(volume.name, volume.size(memory))
        case SecretFiles():
            return base.FilesVolume(volume.name, files[volume.name])
        case Bucket():
            return folders.bucket(volume)
        case HostFolder():
            return folders.of_host(volume)
        case Nfs():
            return base.NfsVolume(volume.name, volume.server, volume.path, volume.read_only)
        case CloudSql():
            return base.FilesVolume(volume.name, {})
