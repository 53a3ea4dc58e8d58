"""Volumes on the command line."""

from typing import Any

import click
import pytest

from homerun.cli.volume_flags import VolumeFlags


def applied(template: dict[str, Any] | None = None, **flags: Any) -> tuple[Any, Any]:
    template = template or {"containers": [{}]}
    container = template["containers"][0]
    VolumeFlags(**flags).apply(template, container)
    return template.get("volumes"), container.get("volumeMounts")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("type=in-memory", {"emptyDir": {"medium": "MEMORY"}}),
        ("type=in-memory,size-limit=1Gi", {"emptyDir": {"medium": "MEMORY", "sizeLimit": "1Gi"}}),
        ("type=disk,size-limit=1Gi", {"emptyDir": {"medium": "DISK", "sizeLimit": "1Gi"}}),
        ("type=cloud-storage,bucket=b", {"gcs": {"bucket": "b"}}),
        (
            "type=cloud-storage,bucket=b,readonly=true,mount-options=uid=1;only-dir=x",
            {"gcs": {"bucket": "b", "readOnly": True, "mountOptions": ["uid=1", "only-dir=x"]}},
        ),
        ("type=host,path=/srv/data,readonly=False", {"gcs": {"bucket": "host:/srv/data", "readOnly": False}}),
        ("type=nfs,location=10.0.0.2:/srv", {"nfs": {"server": "10.0.0.2", "path": "/srv"}}),
        ("type=nfs,location=h:/,readonly=true", {"nfs": {"server": "h", "path": "/", "readOnly": True}}),
    ],
)
def test_each_type(text: str, source: dict[str, Any]) -> None:
    assert applied(add_volume=(f"name=v,{text}",)) == ([{"name": "v", **source}], None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type=in-memory", "name=… is missing"),
        ("name=v", "type=… is missing"),
        ("name=v,type=tape", "there is no type 'tape': use one of in-memory, disk, cloud-storage, host, nfs"),
        ("name=v,type=in-memory,bucket=b", "type=in-memory has no bucket, only size-limit"),
        ("name=v,type=cloud-storage", "bucket=… is missing"),
        ("name=v,type=nfs,location=server", "location must be of the form SERVER:/PATH"),
        ("name=v,type=nfs,location=s:/,readonly=maybe", "readonly is true or false, not 'maybe'"),
        ("name", "'name' is not of the form KEY=VALUE,…"),
    ],
)
def test_wrong_usage(text: str, problem: str) -> None:
    with pytest.raises(click.BadParameter, match=problem):
        applied(add_volume=(text,))


def test_mounts() -> None:
    texts = ("volume=v,mount-path=/a", "volume=v,mount-path=/b,sub-path=x/y")
    mounts = [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b", "subPath": "x/y"}]
    assert applied(add_volume_mount=texts) == (None, mounts)
    for text, missing in (("volume=v", "mount-path"), ("mount-path=/a", "volume")):
        with pytest.raises(click.BadParameter, match=f"{missing}=… is missing"):
            applied(add_volume_mount=(text,))


def there() -> dict[str, Any]:
    mounts = [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]
    return {"volumes": volumes, "containers": [{"volumeMounts": mounts}]}


def test_what_is_there_stays_unless_it_is_named() -> None:
    before = there()
    assert applied(there()) == (before["volumes"], before["containers"][0]["volumeMounts"])
    volumes, mounts = applied(there(), remove_volume=("a",), remove_volume_mount=("/a", "/nothing"))
    assert (volumes, mounts) == ([{"name": "b", "emptyDir": {}}], [{"name": "b", "mountPath": "/b"}])
    assert applied(there(), clear_volumes=True, clear_volume_mounts=True) == ([], [])


def test_the_same_name_or_place_again_is_another_instead() -> None:
    volumes, mounts = applied(
        there(), add_volume=("name=a,type=cloud-storage,bucket=x",), add_volume_mount=("volume=b,mount-path=/a",)
    )
    assert volumes == [{"name": "a", "gcs": {"bucket": "x"}}, {"name": "b", "emptyDir": {}}]
    assert mounts == [{"name": "b", "mountPath": "/b"}, {"name": "b", "mountPath": "/a"}]
