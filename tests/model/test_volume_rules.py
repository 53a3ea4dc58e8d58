"""Rules for volumes and mounts (contract §13.1, §13.2)."""

from typing import Any

import pytest

from homerun.model.rules import check
from homerun.model.volume_rules import VOLUMES

SQL = {"name": "sql", "cloudSqlInstance": {"instances": ["p:r:i", "example.com:p:r:i"]}}


def wrong(*volumes: dict[str, Any], mounts: tuple[dict[str, Any], ...] = (), **template: Any) -> list[str]:
    named = [{"name": f"v{index}", **volume} for index, volume in enumerate(volumes)]
    container = {"image": "x", "volumeMounts": list(mounts)}
    return [v.field for v in check({"volumes": named, "containers": [container], **template}, VOLUMES)]


@pytest.mark.parametrize(
    "volume",
    [
        {"secret": {"secret": "s"}},
        {
            "secret": {
                "secret": "projects/p/secrets/s",
                "defaultMode": 0o777,
                "items": [{"path": "a/b", "version": "1"}],
            }
        },
        {"emptyDir": {}},
        {"emptyDir": {"medium": "MEMORY", "sizeLimit": "512Mi"}},
        {"emptyDir": {"medium": "MEMORY", "sizeLimit": "2Ti"}},
        {"emptyDir": {"medium": "DISK", "sizeLimit": "1Ti"}},
        {"emptyDir": {"medium": "DISK"}},
        {"nfs": {"server": "10.0.0.1", "path": "/share"}},
        {"gcs": {"bucket": "b", "mountOptions": ["implicit-dirs"]}},
        {"gcs": {"bucket": "my-bucket_1.example.com"}},
        {"gcs": {"bucket": "host:/srv/data"}},
        SQL,
    ],
)
def test_good_volumes(volume: dict[str, Any]) -> None:
    assert wrong(volume) == []


@pytest.mark.parametrize(
    ("volume", "field"),
    [
        ({}, ""),
        ({"emptyDir": {}, "nfs": {"server": "s", "path": "/"}}, ""),
        ({"emptyDir": {}, "name": "Not_A_Label"}, ".name"),
        ({"emptyDir": {}, "name": ""}, ".name"),
        ({"secret": {}}, ".secret.secret"),
        ({"secret": {"secret": "a b"}}, ".secret.secret"),
        ({"secret": {"secret": "s", "defaultMode": 0o1000}}, ".secret.defaultMode"),
        ({"secret": {"secret": "s", "items": [{"version": "1"}]}}, ".secret.items[0].path"),
        ({"secret": {"secret": "s", "items": [{"path": "p"}]}}, ".secret.items[0].version"),
        ({"secret": {"secret": "s", "items": [{"path": "/p", "version": "1"}]}}, ".secret.items[0].path"),
        ({"secret": {"secret": "s", "items": [{"path": "a/../b", "version": "1"}]}}, ".secret.items[0].path"),
        ({"secret": {"secret": "s", "items": [{"path": "a", "version": "1", "mode": -1}]}}, ".secret.items[0].mode"),
        ({"emptyDir": {"sizeLimit": "lots"}}, ".emptyDir.sizeLimit"),
        ({"emptyDir": {"sizeLimit": "0"}}, ".emptyDir.sizeLimit"),
        ({"emptyDir": {"medium": "DISK", "sizeLimit": "2Ti"}}, ".emptyDir.sizeLimit"),
        ({"emptyDir": {"medium": "DISK", "sizeLimit": "lots"}}, ".emptyDir.sizeLimit"),
        ({"nfs": {"path": "/share"}}, ".nfs.server"),
        ({"nfs": {"server": "s", "path": "share"}}, ".nfs.path"),
        ({"gcs": {}}, ".gcs.bucket"),
        ({"gcs": {"bucket": "b", "mountOptions": ["--implicit-dirs"]}}, ".gcs.mountOptions[0]"),
        ({"gcs": {"bucket": ".."}}, ".gcs.bucket"),
        ({"gcs": {"bucket": "a/b"}}, ".gcs.bucket"),
        ({"gcs": {"bucket": "_"}}, ".gcs.bucket"),
        ({"gcs": {"bucket": "host:relative"}}, ".gcs.bucket"),
        ({"cloudSqlInstance": {"instances": ["instance"]}}, ".cloudSqlInstance.instances[0]"),
    ],
)
def test_bad_volumes(volume: dict[str, Any], field: str) -> None:
    assert wrong(volume) == [f"volumes[0]{field}"]


def test_names_are_unique() -> None:
    assert wrong({"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}) == ["volumes[1].name"]


def test_network_volumes_need_the_second_generation() -> None:
    nfs = {"nfs": {"server": "s", "path": "/"}}
    assert wrong(nfs, executionEnvironment="EXECUTION_ENVIRONMENT_GEN1") == ["volumes[0].nfs"]
    assert wrong(nfs, executionEnvironment="EXECUTION_ENVIRONMENT_GEN2") == []


@pytest.mark.parametrize(
    ("mounts", "fields"),
    [
        ([{"name": "v0", "mountPath": "/data"}, {"name": "v1", "mountPath": "/secrets"}], []),
        ([{"name": "sql"}, {"name": "v0", "mountPath": "/data"}], []),
        ([{"name": "sql", "mountPath": "/cloudsql"}], []),
        ([{"name": "sql", "mountPath": "/sql"}], ["[0].mountPath"]),
        ([{"name": "none", "mountPath": "/data"}], ["[0].name"]),
        ([{"name": "v0", "mountPath": "data"}], ["[0].mountPath"]),
        ([{"name": "v0"}], ["[0].mountPath"]),
        ([{"name": "v0", "mountPath": "/a:b"}], ["[0].mountPath"]),
        ([{"name": "v0", "mountPath": "/"}], ["[0].mountPath"]),
        ([{"name": "v0", "mountPath": "/proc/x"}], ["[0].mountPath"]),
        ([{"name": "v0", "mountPath": "/data/../proc"}], ["[0].mountPath"]),
        ([{"name": "v0", "mountPath": "//sys/./x"}], ["[0].mountPath"]),
        ([{"name": "v0", "mountPath": "/data"}, {"name": "v0", "mountPath": "/data/"}], ["[1].mountPath"]),
        ([{"name": "v0", "mountPath": "/data/in"}, {"name": "v0", "mountPath": "/data"}], ["[1].mountPath"]),
        ([{"name": "v0", "mountPath": "/data"}, {"name": "v0", "mountPath": "/database"}], []),
        ([{"name": "v0", "mountPath": "/data", "subPath": "x"}], []),
        ([{"name": "v0", "mountPath": "/data", "subPath": "/x"}], ["[0].subPath"]),
        ([{"name": "v0", "mountPath": "/data", "subPath": "x/../../y"}], ["[0].subPath"]),
        ([{"name": "v1", "mountPath": "/data", "subPath": "x"}], ["[0].subPath"]),
    ],
)
def test_mounts(mounts: list[dict[str, Any]], fields: list[str]) -> None:
    volumes = ({"emptyDir": {}}, {"secret": {"secret": "s"}}, SQL)
    expected = [f"containers[0].volumeMounts{field}" for field in fields]
    assert wrong(*volumes, mounts=tuple(mounts)) == expected
