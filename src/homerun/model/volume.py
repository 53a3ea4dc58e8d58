"""Volumes of a template and where its containers mount them: a typed view over their v2 JSON (contract §13.2)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homerun.model.quantity import parse_bytes

Json = Mapping[str, Any]
CLOUD_SQL_PATH = "/cloudsql"
DISK_SIZE = 10 << 30
"""Of a volume on disk whose size nobody says: what takes no room until it is written."""
HOST = "host:"
"""In front of an absolute path where a bucket's name is due: a folder of the host, an extension of ours."""
_ONLY_DIR = "only-dir"
_UMASK = 0o222


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """`limit` in bytes, None: nobody says. In memory unless `on_disk`."""

    name: str
    on_disk: bool = False
    limit: int | None = None

    def size(self, memory: int) -> int:
        """In bytes, for an instance whose containers have `memory` bytes together: at most that, by default half."""
        if self.on_disk:
            return self.limit or DISK_SIZE
        return min(self.limit or memory // 2, memory)


@dataclass(frozen=True, slots=True)
class SecretItem:
    path: str
    version: str
    mode: int


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """`secret`: name, or projects/PROJECT/secrets/NAME. Modes as the files have them."""

    name: str
    secret: str
    items: tuple[SecretItem, ...]


@dataclass(frozen=True, slots=True)
class Bucket:
    """`folder`: the part of it to show, a relative path; empty: all."""

    name: str
    bucket: str
    read_only: bool = False
    folder: str = ""


@dataclass(frozen=True, slots=True)
class HostFolder:
    """`path`: absolute, without `.` and `..`."""

    name: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Nfs:
    name: str
    server: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class CloudSql:
    """`instances`: PROJECT:REGION:INSTANCE. There is none here: the folder for their sockets stays empty."""

    name: str
    instances: tuple[str, ...]


Volume = EmptyDir | SecretFiles | Bucket | HostFolder | Nfs | CloudSql


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """The volume of that name, or what is at `sub_path` in it, at `path` in the container."""

    volume: str
    path: str
    sub_path: str = ""


def parse_volumes(volumes: Sequence[Json]) -> tuple[Volume, ...]:
    """Of a template. One of a kind that is not known here is left out: the rules have refused it."""
    return tuple(volume for json in volumes if (volume := _parse(json)) is not None)


def parse_mounts(mounts: Sequence[Json]) -> tuple[VolumeMount, ...]:
    """Of a container."""
    return tuple(
        VolumeMount(mount["name"], mount.get("mountPath") or CLOUD_SQL_PATH, mount.get("subPath", ""))
        for mount in mounts
    )


def _parse(json: Json) -> Volume | None:
    match json:
        case {"name": name, "emptyDir": source}:
            limit = parse_bytes(source["sizeLimit"]) if source.get("sizeLimit") else None
            return EmptyDir(name, source.get("medium") == "DISK", limit)
        case {"name": name, "secret": source}:
            return SecretFiles(name, source["secret"], _items(source))
        case {"name": name, "gcs": source}:
            return _folder(name, source)
        case {"name": name, "nfs": source}:
            return Nfs(name, source["server"], source["path"], source.get("readOnly", False))
        case {"name": name, "cloudSqlInstance": source}:
            return CloudSql(name, tuple(source.get("instances", ())))
    return None


def _items(secret: Json) -> tuple[SecretItem, ...]:
    """A secret without items is one file of its own name, always of the latest version."""
    default = secret.get("defaultMode") or 0o444
    items = secret.get("items") or [{"path": secret["secret"].rpartition("/")[2], "version": "latest"}]
    return tuple(SecretItem(i["path"], i["version"], (i.get("mode") or default) & ~_UMASK) for i in items)


def _folder(name: str, gcs: Json) -> Bucket | HostFolder:
    bucket, read_only = gcs["bucket"], gcs.get("readOnly", False)
    options = dict(option.partition("=")[::2] for option in gcs.get("mountOptions", ()))
    read_only = read_only or "ro" in options.get("o", "").split(",")
    folder = posixpath.normpath("/" + options.get(_ONLY_DIR, "")).lstrip("/")
    if bucket.startswith(HOST):
        path = posixpath.normpath(posixpath.join(bucket.removeprefix(HOST), folder))
        return HostFolder(name, "/" + path.lstrip("/"), read_only)
    return Bucket(name, bucket, read_only, folder)
