"""Flags for volumes and where they are mounted, written as gcloud writes them, and the v2 JSON that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

Json = dict[str, Any]
_ADD, _MOUNT = "--add-volume", "--add-volume-mount"


def _in_memory(given: Json) -> Json:
    return {"emptyDir": {"medium": "MEMORY", **_named(given, {"size-limit": "sizeLimit"})}}


def _disk(given: Json) -> Json:
    return {"emptyDir": {"medium": "DISK", **_named(given, {"size-limit": "sizeLimit"})}}


def _cloud_storage(given: Json) -> Json:
    options = given.get("mount-options", "")
    more = {"mountOptions": options.split(";")} if options else {}
    return {"gcs": {"bucket": _needed(given, "bucket"), **_read_only(given), **more}}


def _host(given: Json) -> Json:
    return {"gcs": {"bucket": f"host:{_needed(given, 'path')}", **_read_only(given)}}


def _nfs(given: Json) -> Json:
    server, colon, path = _needed(given, "location").partition(":/")
    if not colon:
        raise click.BadParameter("location must be of the form SERVER:/PATH", param_hint=_ADD)
    return {"nfs": {"server": server, "path": f"/{path}", **_read_only(given)}}


_READ_ONLY = "readonly"
_TYPES: dict[str, tuple[Callable[[Json], Json], set[str]]] = {
    "in-memory": (_in_memory, {"size-limit"}),
    "disk": (_disk, {"size-limit"}),
    "cloud-storage": (_cloud_storage, {"bucket", "mount-options", _READ_ONLY}),
    "host": (_host, {"path", _READ_ONLY}),
    "nfs": (_nfs, {"location", _READ_ONLY}),
}
"""Type -> what makes the volume, and the keys that it may have beside its name."""


@dataclass(frozen=True, slots=True)
class VolumeFlags:
    """As given on the command line; what is not given leaves what is there."""

    add_volume: tuple[str, ...] = ()
    remove_volume: tuple[str, ...] = ()
    clear_volumes: bool = False
    add_volume_mount: tuple[str, ...] = ()
    remove_volume_mount: tuple[str, ...] = ()
    clear_volume_mounts: bool = False

    def apply(self, template: Json, container: Json) -> None:
        """Change the volumes of a v2 template, and where `container` mounts them, in place."""
        volumes = {} if self.clear_volumes else {volume["name"]: volume for volume in template.get("volumes", ())}
        mounts = [] if self.clear_volume_mounts else list(container.get("volumeMounts", ()))
        mounts = [mount for mount in mounts if mount.get("mountPath") not in self.remove_volume_mount]
        for name in self.remove_volume:
            volumes.pop(name, None)
        volumes |= {volume["name"]: volume for volume in map(_volume, self.add_volume)}
        for mount in map(_mount, self.add_volume_mount):
            mounts = [other for other in mounts if other.get("mountPath") != mount["mountPath"]] + [mount]
        _set(template, "volumes", list(volumes.values()))
        _set(container, "volumeMounts", mounts)


def _volume(text: str) -> Json:
    given = _pairs(text, _ADD)
    name, kind = _needed(given, "name"), _needed(given, "type")
    if kind not in _TYPES:
        raise click.BadParameter(f"there is no type {kind!r}: use one of {', '.join(_TYPES)}", param_hint=_ADD)
    make, keys = _TYPES[kind]
    if unknown := given.keys() - keys - {"name", "type"}:
        known = ", ".join(sorted(keys))
        raise click.BadParameter(f"type={kind} has no {' or '.join(sorted(unknown))}, only {known}", param_hint=_ADD)
    return {"name": name, **make(given)}


def _mount(text: str) -> Json:
    given = _pairs(text, _MOUNT)
    for key in ("volume", "mount-path"):
        _needed(given, key, _MOUNT)
    return _named(given, {"volume": "name", "mount-path": "mountPath", "sub-path": "subPath"})


def _pairs(text: str, flag: str) -> dict[str, str]:
    pairs = dict(item.partition("=")[::2] for item in text.split(","))
    if not all(pairs.values()):
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE,…", param_hint=flag)
    return pairs


def _needed(given: Mapping[str, str], key: str, flag: str = _ADD) -> str:
    if key not in given:
        raise click.BadParameter(f"{key}=… is missing", param_hint=flag)
    return given[key]


def _named(given: Mapping[str, str], names: Mapping[str, str]) -> Json:
    return {name: given[key] for key, name in names.items() if key in given}


def _read_only(given: Mapping[str, str]) -> Json:
    if _READ_ONLY not in given:
        return {}
    if given[_READ_ONLY].lower() not in ("true", "false"):
        raise click.BadParameter(f"{_READ_ONLY} is true or false, not {given[_READ_ONLY]!r}", param_hint=_ADD)
    return {"readOnly": given[_READ_ONLY].lower() == "true"}


def _set(target: Json, key: str, value: list[Json]) -> None:
    if value or key in target:
        target[key] = value


VOLUME_OPTIONS = [
    click.option("--add-volume", metavar="K=V,…", multiple=True,
                 help="name=NAME,type=TYPE and what the type needs: in-memory or disk (size-limit), cloud-storage "
                      "(bucket, readonly, mount-options), nfs (location=SERVER:/PATH, readonly) or host (path, "
                      "readonly)."),
    click.option("--remove-volume", metavar="NAME", multiple=True, help="Without this volume."),
    click.option("--clear-volumes", is_flag=True, help="Without any."),
    click.option("--add-volume-mount", metavar="K=V,…", multiple=True,
                 help="volume=NAME,mount-path=PATH, and sub-path=PATH for a part of it."),
    click.option("--remove-volume-mount", metavar="PATH", multiple=True, help="Without what is mounted there."),
    click.option("--clear-volume-mounts", is_flag=True, help="Without any."),
]  # fmt: skip
