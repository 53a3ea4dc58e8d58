"""From a template's volumes to what the engine mounts."""

from pathlib import Path

import pytest

from homerun.controllers.volumes import Folders, volume_specs
from homerun.engine import base
from homerun.lib.errors import Invalid
from homerun.model.volume import Bucket, CloudSql, EmptyDir, HostFolder, Nfs, SecretFiles, Volume

MIB = 1 << 20
FOLDERS = Folders(Path("/state/buckets"), (Path("/srv/data"), Path("/mnt")))


@pytest.mark.parametrize(
    ("volume", "spec"),
    [
        (EmptyDir("v"), base.MemoryVolume("v", 256 * MIB)),
        (EmptyDir("v", on_disk=True, limit=MIB), base.DiskVolume("v", MIB)),
        (Nfs("v", "s", "/p", read_only=True), base.NfsVolume("v", "s", "/p", read_only=True)),
        (CloudSql("v", ("p:r:i",)), base.FilesVolume("v", {})),
        (SecretFiles("v", "s", ()), base.FilesVolume("v", {"s": (b"x", 0o444)})),
        (HostFolder("v", "/mnt"), base.FolderVolume("v", "/mnt", remedy="there is no folder /mnt on this machine")),
        (
            HostFolder("v", "/srv/data/a/b", read_only=True),
            base.FolderVolume("v", "/srv/data", True, "a/b", "there is no folder /srv/data on this machine"),
        ),
        (
            Bucket("v", "models", read_only=True, folder="a"),
            base.FolderVolume(
                "v", "/state/buckets/models", True, "a", "there is no bucket models: homerun buckets create models"
            ),
        ),
    ],
)
def test_each_kind(volume: Volume, spec: base.Volume) -> None:
    assert volume_specs([volume], 512 * MIB, FOLDERS, {"v": {"s": (b"x", 0o444)}}) == (spec,)


@pytest.mark.parametrize("path", ["/", "/srv", "/srv/database", "/etc", "/mntx"])
def test_no_other_folder_of_the_host(path: str) -> None:
    with pytest.raises(Invalid, match=f"containers may not see {path}; start homerun with --allow-host-path {path}"):
        volume_specs([HostFolder("v", path)], MIB, FOLDERS)


def test_none_at_all_unless_somebody_allows_it() -> None:
    with pytest.raises(Invalid, match="containers may not see"):
        volume_specs([HostFolder("v", "/srv/data")], MIB, Folders())
