"""Volumes: what v2 has a message for, v1 writes as Kubernetes does, with CSI drivers for Google's own (contract §7.5).

Cloud SQL has a form of its own in v1: an annotation, which stands for a volume named `cloudsql` that every container
mounts at /cloudsql.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.run_v1.projection import kept
from homerun.lib.errors import Violation

Json = dict[str, Any]
GCS, CLOUD_SQL = "gcsfuse.run.googleapis.com", "cloudsql.run.googleapis.com"
_MEDIA = {"Memory": "MEMORY", "Disk": "DISK"}
_SQL_MOUNT = {"name": "cloudsql", "mountPath": "/cloudsql"}


def to_v2(volume: Mapping[str, Any], aliases: Mapping[str, str]) -> tuple[Json, list[Violation]]:
    """The v2 volume, and what of it v1 alone can get wrong. `aliases`: of secrets, alias -> full name."""
    made = kept(volume, "run.v2", "GoogleCloudRunV2Volume")
    wrong: list[Violation] = []
    if "secret" in volume:
        made["secret"] = _secret_to_v2(volume["secret"], aliases)
    if (medium := made.get("emptyDir", {}).pop("medium", "")) in _MEDIA:
        made["emptyDir"]["medium"] = _MEDIA[medium]
    elif medium:
        wrong.append(Violation("emptyDir.medium", f"must be {' or '.join(_MEDIA)}, and is {medium!r}"))
    if "csi" in volume:
        made |= _csi_to_v2(volume["csi"])
        if (driver := volume["csi"].get("driver")) not in (GCS, CLOUD_SQL):
            wrong.append(Violation("csi.driver", f"must be {GCS} or {CLOUD_SQL}, and is {driver!r}"))
    return made, wrong


def to_v1(volume: Mapping[str, Any], aliases: Mapping[str, str]) -> Json:
    """`aliases`: of secrets, full name -> alias."""
    made = kept(volume, "run.v1", "Volume")
    if "secret" in volume:
        made["secret"] = _secret_to_v1(volume["secret"], aliases)
    if medium := volume.get("emptyDir", {}).get("medium"):
        made["emptyDir"]["medium"] = {v2: v1 for v1, v2 in _MEDIA.items()}.get(medium, "")
    if gcs := volume.get("gcs"):
        attributes = {"bucketName": gcs.get("bucket", ""), "mountOptions": ",".join(gcs.get("mountOptions", ()))}
        read_only = {"readOnly": gcs["readOnly"]} if "readOnly" in gcs else {}
        made["csi"] = {"driver": GCS, **read_only, "volumeAttributes": _given(attributes)}
    elif sql := volume.get("cloudSqlInstance"):
        made["csi"] = {"driver": CLOUD_SQL, "volumeAttributes": {"instances": ",".join(sql.get("instances", ()))}}
    return made


def add_cloud_sql(instances: str, spec: Json) -> None:
    """v1's annotation, as the volume and the mounts that it stands for."""
    names = [name.strip() for name in instances.split(",") if name.strip()]
    spec.setdefault("volumes", []).append({"name": "cloudsql", "cloudSqlInstance": {"instances": names}})
    for container in spec.get("containers", ()):
        container.setdefault("volumeMounts", []).append(dict(_SQL_MOUNT))


def take_cloud_sql(spec: Json) -> str:
    """The annotation's text; what it stands for is taken out of the v2 template `spec`. Empty: it is not there."""
    volumes, containers = spec.get("volumes", []), spec.get("containers", [])
    instances = volumes[-1].get("cloudSqlInstance", {}).get("instances") if volumes else None
    if not instances or volumes[-1].get("name") != "cloudsql":
        return ""
    if not all((container.get("volumeMounts") or [{}])[-1] == _SQL_MOUNT for container in containers):
        return ""
    spec["volumes"] = volumes[:-1]
    spec["containers"] = [{**c, "volumeMounts": c["volumeMounts"][:-1]} for c in containers]
    return ",".join(instances)


def _secret_to_v2(secret: Mapping[str, Any], aliases: Mapping[str, str]) -> Json:
    name = secret.get("secretName", "")
    made = _given({"secret": aliases.get(name, name), "defaultMode": secret.get("defaultMode")})
    if items := secret.get("items"):
        made["items"] = [_renamed(item, "key", "version") for item in items]
    return made


def _secret_to_v1(secret: Mapping[str, Any], aliases: Mapping[str, str]) -> Json:
    name = secret.get("secret", "")
    made = _given({"secretName": aliases.get(name, name), "defaultMode": secret.get("defaultMode")})
    if items := secret.get("items"):
        made["items"] = [_renamed(item, "version", "key") for item in items]
    return made


def _csi_to_v2(csi: Mapping[str, Any]) -> Json:
    attributes = csi.get("volumeAttributes", {})
    match csi.get("driver"):
        case "gcsfuse.run.googleapis.com":
            options = [option for option in attributes.get("mountOptions", "").split(",") if option]
            made = {"bucket": attributes.get("bucketName"), "readOnly": csi.get("readOnly"), "mountOptions": options}
            return {"gcs": {key: value for key, value in made.items() if value not in (None, "", [])}}
        case "cloudsql.run.googleapis.com":
            names = [name for name in attributes.get("instances", "").split(",") if name]
            return {"cloudSqlInstance": {"instances": names} if names else {}}
    return {}


def _renamed(item: Mapping[str, Any], old: str, new: str) -> Json:
    return {new if key == old else key: value for key, value in item.items()}


def _given(values: Json) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "")}
