"""Volumes of both versions (contract §7.5, §13.2)."""

from typing import Any

import pytest

from homerun.apis.run_v1.volumes import add_cloud_sql, take_cloud_sql, to_v1, to_v2

GCS, SQL = "gcsfuse.run.googleapis.com", "cloudsql.run.googleapis.com"
MOUNT = {"name": "cloudsql", "mountPath": "/cloudsql"}


@pytest.mark.parametrize(
    ("v1", "v2"),
    [
        ({"secret": {"secretName": "s"}}, {"secret": {"secret": "s"}}),
        (
            {"secret": {"secretName": "alias", "defaultMode": 256, "items": [{"key": "1", "path": "p", "mode": 1}]}},
            {
                "secret": {
                    "secret": "projects/1/secrets/t",
                    "defaultMode": 256,
                    "items": [{"version": "1", "path": "p", "mode": 1}],
                }
            },
        ),
        ({"emptyDir": {}}, {"emptyDir": {}}),
        (
            {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
            {"emptyDir": {"medium": "MEMORY", "sizeLimit": "1Gi"}},
        ),
        ({"emptyDir": {"medium": "Disk"}}, {"emptyDir": {"medium": "DISK"}}),
        ({"nfs": {"server": "h", "path": "/p", "readOnly": True}},) * 2,
        ({"filestore": {"volume": "x"}},) * 2,
        (
            {
                "csi": {
                    "driver": GCS,
                    "readOnly": True,
                    "volumeAttributes": {"bucketName": "b", "mountOptions": "x,y=1"},
                }
            },
            {"gcs": {"bucket": "b", "readOnly": True, "mountOptions": ["x", "y=1"]}},
        ),
        ({"csi": {"driver": GCS, "volumeAttributes": {"bucketName": "b"}}}, {"gcs": {"bucket": "b"}}),
        (
            {"csi": {"driver": SQL, "volumeAttributes": {"instances": "p:r:i,p:r:j"}}},
            {"cloudSqlInstance": {"instances": ["p:r:i", "p:r:j"]}},
        ),
    ],
)
def test_both_ways(v1: dict[str, Any], v2: dict[str, Any]) -> None:
    named_v1, named_v2 = {"name": "v", **v1}, {"name": "v", **v2}
    assert to_v2(named_v1, {"alias": "projects/1/secrets/t"}) == (named_v2, [])
    assert to_v1(named_v2, {"projects/1/secrets/t": "alias"}) == named_v1


@pytest.mark.parametrize(
    ("volume", "field", "problem"),
    [
        ({"csi": {"driver": "other"}}, "csi.driver", f"must be {GCS} or {SQL}, and is 'other'"),
        ({"emptyDir": {"medium": "HugePages"}}, "emptyDir.medium", "must be Memory or Disk, and is 'HugePages'"),
    ],
)
def test_what_only_v1_can_get_wrong_is_named(volume: dict[str, Any], field: str, problem: str) -> None:
    _, (wrong,) = to_v2({"name": "v", **volume}, {})
    assert (wrong.field, wrong.description) == (field, problem)


def test_the_annotation_stands_for_a_volume_that_all_containers_mount() -> None:
    spec: dict[str, Any] = {"containers": [{"image": "x"}, {"image": "y", "volumeMounts": [{"name": "v"}]}]}
    add_cloud_sql("p:r:i, p:r:j", spec)
    assert spec == {
        "containers": [
            {"image": "x", "volumeMounts": [MOUNT]},
            {"image": "y", "volumeMounts": [{"name": "v"}, MOUNT]},
        ],
        "volumes": [{"name": "cloudsql", "cloudSqlInstance": {"instances": ["p:r:i", "p:r:j"]}}],
    }
    assert take_cloud_sql(spec) == "p:r:i,p:r:j"
    assert spec["volumes"] == []
    assert spec["containers"] == [{"image": "x", "volumeMounts": []}, {"image": "y", "volumeMounts": [{"name": "v"}]}]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"volumes": [{"name": "other", "cloudSqlInstance": {"instances": ["p:r:i"]}}]},
        {"volumes": [{"name": "cloudsql", "cloudSqlInstance": {"instances": ["p:r:i"]}}], "containers": [{}]},
        {"volumes": [{"name": "cloudsql", "cloudSqlInstance": {}}], "containers": [{"volumeMounts": [MOUNT]}]},
    ],
)
def test_what_the_annotation_cannot_say_stays_a_volume(spec: dict[str, Any]) -> None:
    assert take_cloud_sql(spec) == ""
