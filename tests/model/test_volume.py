"""Volumes and mounts as their typed view has them (contract §13.1, §13.2)."""

from typing import Any

import pytest

from homerun.model.volume import (
    Bucket,
    CloudSql,
    EmptyDir,
    HostFolder,
    Nfs,
    SecretFiles,
    SecretItem,
    Volume,
    VolumeMount,
    parse_mounts,
    parse_volumes,
)

MIB = 1 << 20


def gcs(bucket: str, *options: str, **more: Any) -> dict[str, Any]:
    return {"gcs": {"bucket": bucket, "mountOptions": list(options), **more}}


@pytest.mark.parametrize(
    ("json", "volume"),
    [
        ({"emptyDir": {}}, EmptyDir("v")),
        ({"emptyDir": {"medium": "MEMORY", "sizeLimit": "64Mi"}}, EmptyDir("v", limit=64 * MIB)),
        ({"emptyDir": {"medium": "DISK", "sizeLimit": "1Gi"}}, EmptyDir("v", on_disk=True, limit=1024 * MIB)),
        ({"secret": {"secret": "s"}}, SecretFiles("v", "s", (SecretItem("s", "latest", 0o444),))),
        (
            {"secret": {"secret": "projects/p/secrets/s"}},
            SecretFiles("v", "projects/p/secrets/s", (SecretItem("s", "latest", 0o444),)),
        ),
        (
            {
                "secret": {
                    "secret": "s",
                    "defaultMode": 0o640,
                    "items": [{"path": "a/b", "version": "1"}, {"path": "c", "version": "latest", "mode": 0o777}],
                }
            },
            SecretFiles("v", "s", (SecretItem("a/b", "1", 0o440), SecretItem("c", "latest", 0o555))),
        ),
        ({"nfs": {"server": "s", "path": "/p"}}, Nfs("v", "s", "/p")),
        ({"nfs": {"server": "s", "path": "/p", "readOnly": True}}, Nfs("v", "s", "/p", read_only=True)),
        (gcs("b"), Bucket("v", "b")),
        (gcs("b", readOnly=True), Bucket("v", "b", read_only=True)),
        (gcs("b", "implicit-dirs", "uid=1000", "only-dir=a/b"), Bucket("v", "b", folder="a/b")),
        (gcs("b", "only-dir=/a/../../b/"), Bucket("v", "b", folder="b")),
        (gcs("b", "o=noatime,ro"), Bucket("v", "b", read_only=True)),
        (gcs("host:/srv/data"), HostFolder("v", "/srv/data")),
        (gcs("host:/srv/../../etc", readOnly=True), HostFolder("v", "/etc", read_only=True)),
        (gcs("host://srv", "only-dir=../x"), HostFolder("v", "/srv/x")),
        ({"cloudSqlInstance": {"instances": ["p:r:i"]}}, CloudSql("v", ("p:r:i",))),
    ],
)
def test_each_kind(json: dict[str, Any], volume: Volume) -> None:
    assert parse_volumes([{"name": "v", **json}]) == (volume,)


def test_what_is_not_known_is_left_out() -> None:
    volumes = parse_volumes([{"name": "f", "filestore": {"volume": "x"}}, {"name": "e", "emptyDir": {}}])
    assert volumes == (EmptyDir("e"),)


def test_mounts() -> None:
    mounts = [{"name": "e", "mountPath": "/e", "subPath": "a"}, {"name": "q"}]
    assert parse_mounts(mounts) == (VolumeMount("e", "/e", "a"), VolumeMount("q", "/cloudsql"))


@pytest.mark.parametrize(
    ("volume", "size"),
    [
        (EmptyDir("v"), 256 * MIB),
        (EmptyDir("v", limit=100 * MIB), 100 * MIB),
        (EmptyDir("v", limit=4096 * MIB), 512 * MIB),
        (EmptyDir("v", on_disk=True), 10240 * MIB),
        (EmptyDir("v", on_disk=True, limit=4096 * MIB), 4096 * MIB),
    ],
)
def test_the_size_of_an_empty_folder(volume: EmptyDir, size: int) -> None:
    assert volume.size(512 * MIB) == size
