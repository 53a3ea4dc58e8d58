"""The rules of volumes and where containers mount them (contract §13.2), paths below the template."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.model import limits
from homerun.model.container_rules import SECRET, VERSION
from homerun.model.limits import Text
from homerun.model.quantity import parse_bytes
from homerun.model.rules import HOMERUN, Rule, field, required
from homerun.model.volume import HOST

Json = Mapping[str, Any]
_SOURCES = ("secret", "cloudSqlInstance", "emptyDir", "nfs", "gcs", "filestore")
BUCKET_NAME = Text(r"[a-z0-9]([a-z0-9._-]{0,220}[a-z0-9])?", "a bucket's name: a-z, 0-9, '.', '_' and '-'")
BUCKET = Text(
    rf"{BUCKET_NAME.pattern}|{HOST}/[^\0]*",
    f"a bucket's name, or {HOST}/PATH for a folder of the host",
)
_LARGEST_DISK = 1 << 40
_SYSTEM = ("/dev", "/proc", "/sys")
_GEN1, _NEEDS_GEN2 = "EXECUTION_ENVIRONMENT_GEN1", ("nfs", "gcs", "filestore")


def _names_once(volumes: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name", "")
        if name and name in seen:
            yield f"[{index}].name", f"{name!r} is the name of an earlier volume as well"
        seen.add(name)


def _one_source(volume: Json, owner: str) -> Iterator[tuple[str, str]]:
    given = [source for source in _SOURCES if source in volume]
    if len(given) != 1:
        yield "", f"must have one of {', '.join(_SOURCES)}, and has {' and '.join(given) or 'none'}"


def _relative(path: str, owner: str) -> Iterator[tuple[str, str]]:
    if path.startswith("/") or ".." in path.split("/"):
        yield "", f"must be a relative path without '..', and is {path!r}"


def _mode(mode: int, owner: str) -> Iterator[tuple[str, str]]:
    if mode and limits.FILE_MODE.complaint(mode):
        yield "", f"must be from 01 to 0777 (octal), and is {mode:#o}".replace("0o", "0")


def _size(text: str, owner: str) -> Iterator[tuple[str, str]]:
    try:
        size = parse_bytes(text)
    except ValueError as error:
        yield "", str(error)
    else:
        if size == 0:
            yield "", "must be more than nothing"


def _disk_size(source: Json, owner: str) -> Iterator[tuple[str, str]]:
    """Larger ones would take seconds to be made."""
    size = source.get("sizeLimit", "")
    if source.get("medium") == "DISK" and not any(_size(size, owner)) and parse_bytes(size) > _LARGEST_DISK:
        yield "sizeLimit", f"must be at most {_LARGEST_DISK >> 40}Ti on disk, and is {size}"


def _environment(template: Json, owner: str) -> Iterator[tuple[str, str]]:
    for index, volume in enumerate(template.get("volumes", ())):
        kind = next((kind for kind in _NEEDS_GEN2 if kind in volume), None)
        if kind and template.get("executionEnvironment") == _GEN1:
            yield f"volumes[{index}].{kind}", "needs the second generation: EXECUTION_ENVIRONMENT_GEN2"


def _mounts(template: Json, owner: str) -> Iterator[tuple[str, str]]:
    volumes = {volume.get("name", ""): volume for volume in template.get("volumes", ())}
    for index, container in enumerate(template.get("containers", ())):
        taken: list[str] = []
        for number, mount in enumerate(container.get("volumeMounts", ())):
            path = f"containers[{index}].volumeMounts[{number}]"
            volume = volumes.get(mount.get("name", ""))
            if volume is None:
                yield f"{path}.name", f"no volume is named {mount.get('name', '')!r}"
                continue
            if mount.get("subPath") and "secret" in volume:
                yield f"{path}.subPath", "is not for secrets: leave it out"
            for _, problem in _relative(mount.get("subPath", ""), owner):
                yield f"{path}.subPath", problem
            for problem in _mount_path(mount.get("mountPath", ""), "cloudSqlInstance" in volume, taken):
                yield f"{path}.mountPath", problem
            taken.append(_normal(mount.get("mountPath") or "/cloudsql"))


def _mount_path(path: str, cloud_sql: bool, taken: Sequence[str]) -> Iterator[str]:
    if cloud_sql:
        if path not in ("", "/cloudsql"):
            yield f"must be /cloudsql or left out for Cloud SQL, and is {path!r}"
        return
    if not re.fullmatch(r"/[^:\0]*", path):
        yield f"must be an absolute path without ':', and is {path!r}"
        return
    here = _normal(path)
    if here == "/" or any(_within(here, folder) for folder in _SYSTEM):
        yield f"{path} belongs to the system: mount it somewhere else"
    for other in taken:
        if _within(here, other) or _within(other, here):
            yield f"{path} and {other} are within each other: mounts cannot be nested"


def _normal(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


VOLUMES = (
    required("volumes[].name", "every volume has a name", "§13.2"),
    field("volumes[].name", limits.LABEL, "§13.2"),
    Rule("volumes[].name", "only once", "§13.2", _names_once, at="volumes"),
    Rule("volumes[]", f"one of {', '.join(_SOURCES)}", "§13.2", _one_source),
    required("volumes[].secret.secret", "name the secret", "§13.1"),
    field("volumes[].secret.secret", SECRET, "§13.1"),
    Rule("volumes[].secret.defaultMode", "01 to 0777 (octal); 0444 if left out", "§3", _mode),
    required("volumes[].secret.items[].path", "an item names its file", "§13.1"),
    Rule("volumes[].secret.items[].path", "a relative path without '..'", "§13.1", _relative),
    required("volumes[].secret.items[].version", "an item names its version", "§13.1"),
    field("volumes[].secret.items[].version", VERSION, "§13.1"),
    Rule("volumes[].secret.items[].mode", "01 to 0777 (octal)", "§3", _mode),
    Rule("volumes[].emptyDir.sizeLimit", "an amount of memory, such as 512Mi", "§13.2", _size),
    Rule("volumes[].emptyDir.sizeLimit", "at most 1Ti on disk", HOMERUN, _disk_size, at="volumes[].emptyDir"),
    required("volumes[].nfs.server", "name the server", "§13.2"),
    required("volumes[].nfs.path", "name the exported path", "§13.2"),
    field("volumes[].nfs.path", Text(r"/[^\0]*", "an absolute path"), "§13.2"),
    required("volumes[].gcs.bucket", "name the bucket", "§13.2"),
    field("volumes[].gcs.bucket", BUCKET, HOMERUN),
    field("volumes[].gcs.mountOptions[]", Text(r"[^-].*", "an option of gcsfuse without its '--'"), "§13.2"),
    field(
        "volumes[].cloudSqlInstance.instances[]",
        Text(r"([^:\s]+:)?[^:\s]+:[^:\s]+:[^:\s]+", "PROJECT:REGION:INSTANCE"),
        "§13.2",
    ),
    Rule("volumes[]", "nfs, gcs and filestore not with EXECUTION_ENVIRONMENT_GEN1", "§1.6", _environment, at=""),
    Rule(
        "containers[].volumeMounts[]",
        "a volume that there is, at an absolute path without ':' that is not the system's and not within another; "
        "/cloudsql for Cloud SQL; subPath a relative path without '..', and none for secrets",
        "§13.2",
        _mounts,
        at="",
    ),
)
