"""Services and jobs from v1 to v2 and back: nothing may be lost on either way, whatever the schema allows.

A longer run: `HYPOTHESIS_PROFILE=thorough pytest tests/apis/run_v1/test_convert.py`.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.apis.run_v1 import convert
from homerun.apis.run_v1.convert import V2_ONLY
from homerun.apis.run_v1.difference import restored
from homerun.model.defaults import with_job_defaults, with_service_defaults
from homerun.wire.discovery import description
from homerun.wire.schema import parse
from tests.support.schemas import documents, labels, texts, words

V1, V2 = description("run.v1").schemas, description("run.v2").schemas
RUN = "run.googleapis.com/"


def v2_documents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """As v2's parser leaves them."""
    overrides = {".labels": labels, ".annotations": labels, ".name": words}
    shaped = documents("run.v2", f"GoogleCloudRunV2{kind}", overrides)
    return shaped.map(lambda sent: parse(V2, f"GoogleCloudRunV2{kind}", sent)[0])


json_texts = st.recursive(
    words | st.integers(0, 9), lambda x: st.lists(x, max_size=2) | st.dictionaries(words, x), max_leaves=3
)
flags = st.sampled_from(["true", "false", "True", "False"])
annotations = st.fixed_dictionaries(
    {},
    optional={
        RUN + "cpu-throttling": flags,
        RUN + "startup-cpu-boost": flags,
        RUN + "sessionAffinity": flags,
        RUN + "secrets": st.sampled_from(["a:projects/1/secrets/s", "x:projects/1/secrets/x,b:projects/2/secrets/x"]),
        RUN + "cloudsql-instances": st.sampled_from(["p:r:i", "p:r:i,p:r:j", "p:r:i, p:r:j"]),
        RUN + "container-dependencies": st.sampled_from(['{"a":["b"]}', '{"a": []}', "{}", "not json"]),
        RUN + "base-images": st.sampled_from(['{"":"img"}', '{"a":"img","z":"other"}']),
        RUN + "sources": st.sampled_from(['{"":"gs://b/o"}', '{"a":"gs://b/d/o#3"}']),
        RUN + "network-interfaces": st.sampled_from(['[{"network":"n","tags":["t"]}]', '[{"network": "n"}]']),
        RUN + "vpc-access-egress": st.sampled_from(["all", "all-traffic", "private-ranges-only"]),
        RUN + "encryption-key-shutdown-hours": st.sampled_from(["1", "02"]),
        RUN + "binary-authorization": st.sampled_from(["default", "projects/p/platforms/cloudRun/x"]),
        RUN + "client-name": words,
        RUN + "some-feature": texts,
        RUN + "minScale": st.sampled_from(["0", "3", "007"]),
        RUN + "custom-audiences": st.sampled_from(['["a", "b"]', "[]"]),
        "autoscaling.knative.dev/maxScale": st.sampled_from(["1", "01"]),
        "own/key": words,
    },
)
v1_names = st.sampled_from(["", "a", "b", "cloudsql"])


def v1_documents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    overrides = {
        ".labels": labels,
        ".annotations": annotations,
        "Container.name": v1_names,
        "Volume.name": v1_names,
        "CSIVolumeSource.driver": st.sampled_from(["gcsfuse.run.googleapis.com", "cloudsql.run.googleapis.com"]),
        "CSIVolumeSource.volumeAttributes": st.fixed_dictionaries(
            {}, optional={"bucketName": words, "mountOptions": st.sampled_from(["a", "a,b", "a,,b"]), "x": words}
        ),
        "EmptyDirVolumeSource.medium": st.sampled_from(["Memory", "Disk", "", "Other"]),
        "TrafficTarget.latestRevision": st.booleans(),
    }
    shaped = documents("run.v1", kind, overrides)
    return shaped.map(lambda sent: parse(V1, kind, sent)[0])


KINDS = ("Service", "WorkerPool", "Job")


@given(st.one_of(st.tuples(st.just(kind), v2_documents(kind)) for kind in KINDS))
def test_any_v2_document_survives_the_way_to_v1_and_back(drawn: tuple[str, dict[str, Any]]) -> None:
    kind, written = drawn
    written.pop("name", None), written.pop("etag", None)
    shown = json.loads(json.dumps(convert.to_v1(kind, written)))
    assert parse(V1, kind, shown)[1] == [], "it is a v1 document"
    back, violations = convert.to_v2(kind, shown)
    assert violations == []
    assert back == written


@given(st.one_of(st.tuples(st.just(kind), v1_documents(kind)) for kind in KINDS))
def test_any_v1_document_comes_back_as_it_was_sent(drawn: tuple[str, dict[str, Any]]) -> None:
    kind, sent = drawn
    v2, violations = convert.to_v2(kind, sent)
    if violations:
        return  # refused, so nothing is kept of it
    entries = json.loads(json.dumps(convert.baggage(kind, sent, v2)))
    returned = restored(convert.to_v1(kind, v2, convert.aliases_of(entries)), entries)
    without_output = {"metadata": sent.get("metadata", {}), "spec": sent.get("spec", {})}
    for key in ("name", "namespace", "selfLink", "uid", "resourceVersion", "generation"):
        without_output["metadata"].pop(key, None)
    for key in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        without_output["metadata"].pop(key, None)
    assert _missing(without_output, returned) == []
    again, _ = convert.to_v2(kind, returned)
    assert again == v2, "what is read and written back changes nothing"


def _missing(part: Any, whole: Any, path: str = "") -> list[str]:
    """Where `whole` lacks something of `part`. Empty values say nothing."""
    if isinstance(part, dict):
        here = whole if isinstance(whole, dict) else {}
        return [found for key, item in part.items() for found in _missing(item, here.get(key), f"{path}.{key}")]
    if isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        pairs = enumerate(zip(part, whole, strict=True))
        return [found for index, (a, b) in pairs for found in _missing(a, b, f"{path}[{index}]")]
    return [] if part == whole or part in ("", [], {}) else [path]


def service(**template: Any) -> dict[str, Any]:
    return {"template": {"containers": [{"image": "x"}], **template}}


def test_what_v1_can_say_needs_no_annotation_of_ours() -> None:
    """gcloud users do not get to see how we keep things together."""
    written = {
        "labels": {"team": "a"},
        "client": "me",
        "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
        "binaryAuthorization": {"useDefault": True},
        "customAudiences": ["https://a"],
        "scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 2},
        "template": {
            "revision": "hello-blue",
            "serviceAccount": "me@example.com",
            "serviceMesh": {"mesh": "projects/p/locations/global/meshes/m"},
            "nodeSelector": {"accelerator": "nvidia-l4"},
            "encryptionKey": "key",
            "encryptionKeyShutdownDuration": "7200s",
            "vpcAccess": {"networkInterfaces": [{"network": "n", "tags": ["a", "b"]}]},
            "containers": [
                {
                    "name": "app",
                    "image": "x",
                    "dependsOn": ["side"],
                    "baseImageUri": "base",
                    "resources": {"limits": {"cpu": "1"}, "cpuIdle": False, "startupCpuBoost": True},
                    "env": [
                        {"name": "A", "value": "1"},
                        {"name": "S", "valueSource": {"secretKeyRef": {"secret": "s", "version": "latest"}}},
                        {"name": "T", "valueSource": {"secretKeyRef": {"secret": "projects/p/secrets/t"}}},
                    ],
                    "livenessProbe": {"grpc": {"port": 1, "service": "x"}},
                    "readinessProbe": {"httpGet": {"path": "/"}},
                    "volumeMounts": [{"name": "f", "mountPath": "/f"}, {"name": "cloudsql", "mountPath": "/cloudsql"}],
                },
                {
                    "name": "side",
                    "image": "y",
                    "resources": {"cpuIdle": False, "startupCpuBoost": True},
                    "volumeMounts": [{"name": "cloudsql", "mountPath": "/cloudsql"}],
                },
            ],
            "volumes": [
                {"name": "f", "secret": {"secret": "s", "defaultMode": 292, "items": [{"version": "1", "path": "p"}]}},
                {"name": "e", "emptyDir": {"medium": "MEMORY", "sizeLimit": "1Gi"}},
                {"name": "n", "nfs": {"server": "h", "path": "/p", "readOnly": True}},
                {"name": "g", "gcs": {"bucket": "b", "readOnly": True, "mountOptions": ["a", "b=c"]}},
                {"name": "cloudsql", "cloudSqlInstance": {"instances": ["p:r:i", "p:r:j"]}},
            ],
        },
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }
    shown = convert.to_v1("Service", written)
    assert V2_ONLY not in shown["metadata"]["annotations"]
    template = shown["spec"]["template"]["metadata"]["annotations"]
    assert template == {
        RUN + "mesh": "projects/p/locations/global/meshes/m",
        RUN + "encryption-key": "key",
        RUN + "encryption-key-shutdown-hours": "2",
        RUN + "network-interfaces": '[{"network":"n","tags":["a","b"]}]',
        RUN + "cloudsql-instances": "p:r:i,p:r:j",
        RUN + "secrets": "t:projects/p/secrets/t",
        RUN + "container-dependencies": '{"app":["side"]}',
        RUN + "base-images": '{"app":"base"}',
        RUN + "cpu-throttling": "false",
        RUN + "startup-cpu-boost": "true",
    }
    spec = shown["spec"]["template"]["spec"]
    assert spec["containers"][0]["env"][2]["valueFrom"] == {"secretKeyRef": {"name": "t"}}
    assert [volume["name"] for volume in spec["volumes"]] == ["f", "e", "n", "g"]
    assert spec["volumes"][3]["csi"]["volumeAttributes"] == {"bucketName": "b", "mountOptions": "a,b=c"}
    assert convert.to_v2("Service", shown) == (written, [])


def test_defaults_need_no_annotation_of_ours_either() -> None:
    for kind, stored in (
        ("Service", with_service_defaults(service(), "hello", "1")),
        ("Job", with_job_defaults({"template": {"template": {"containers": [{"image": "x"}]}}}, "work", "1")),
    ):
        shown = convert.to_v1(kind, stored)
        assert V2_ONLY not in shown["metadata"].get("annotations", {})
        assert convert.to_v2(kind, shown) == (stored, [])


def test_what_v1_cannot_say_is_an_annotation_that_a_change_in_v1_overrides() -> None:
    shown = convert.to_v1("Service", service(timeout="1.5s", scaling={"cpuUtilization": 0.5}))
    assert shown["spec"]["template"]["spec"]["timeoutSeconds"] == 1
    assert V2_ONLY in shown["metadata"]["annotations"]
    shown["spec"]["template"]["spec"]["timeoutSeconds"] = 30
    back, _ = convert.to_v2("Service", shown)
    assert back["template"]["timeout"] == "30s"
    assert back["template"]["scaling"] == {"cpuUtilization": 0.5}


@pytest.mark.parametrize(
    "text",
    ["no json", "[1]", '[[["template"],null,"x"]]', '[[["template","containers"],[],{}]]', '[[[["a"]],null,1]]', "{}"],
)
def test_our_annotation_is_not_trusted(text: str) -> None:
    sent = {"metadata": {"annotations": {V2_ONLY: text}}, "spec": {}}
    v2, violations = convert.to_v2("Service", sent)
    assert v2 == {}
    assert {v.field for v in violations} <= {f"metadata.annotations[{V2_ONLY}]"}


def test_aliases_stay_those_of_the_author_when_another_secret_joins() -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "1"}}}]
    metadata = {"annotations": {RUN + "secrets": "mine:projects/1/secrets/s"}}
    sent = {"spec": {"template": {"metadata": metadata, "spec": {"containers": [{"image": "x", "env": env}]}}}}
    v2, _ = convert.to_v2("Service", sent)
    reference = v2["template"]["containers"][0]["env"][0]["valueSource"]["secretKeyRef"]
    assert reference == {"secret": "projects/1/secrets/s", "version": "1"}
    entries = convert.baggage("Service", sent, v2)
    v2["template"]["containers"][0]["env"].append(
        {"name": "B", "valueSource": {"secretKeyRef": {"secret": "projects/2/secrets/s"}}}
    )
    shown = restored(convert.to_v1("Service", v2, convert.aliases_of(entries)), entries)
    template = shown["spec"]["template"]
    assert template["metadata"]["annotations"][RUN + "secrets"] == "mine:projects/1/secrets/s,s:projects/2/secrets/s"
    names = [v["valueFrom"]["secretKeyRef"]["name"] for v in template["spec"]["containers"][0]["env"]]
    assert names == ["mine", "s"]


def test_what_the_server_adds_is_no_baggage() -> None:
    sent = {
        "metadata": {
            "name": "hello",
            "uid": "u",
            "annotations": {RUN + "operation-id": "x", "serving.knative.dev/creator": "me"},
            "labels": {"cloud.googleapis.com/location": "r"},
        },
        "spec": {"template": {"spec": {"containers": [{"image": "x"}]}}},
        "status": {"url": "x"},
    }
    v2, _ = convert.to_v2("Service", sent)
    assert convert.baggage("Service", sent, v2) == []


def test_several_wrong_annotations_are_all_named() -> None:
    template = {RUN + "secrets": "x", RUN + "cpu-throttling": "maybe", RUN + "container-dependencies": '{"z":["y"]}'}
    volumes = [{"name": "v", "csi": {"driver": "other"}}]
    sent = {
        "metadata": {"annotations": {RUN + "minScale": "many"}},
        "spec": {
            "template": {
                "metadata": {"annotations": template},
                "spec": {"containers": [{"image": "x"}], "volumes": volumes},
            }
        },
    }
    _, violations = convert.to_v2("Service", sent)
    assert sorted(v.field for v in violations) == [
        "metadata.annotations[run.googleapis.com/minScale]",
        "spec.template.metadata.annotations[run.googleapis.com/container-dependencies]",
        "spec.template.metadata.annotations[run.googleapis.com/cpu-throttling]",
        "spec.template.metadata.annotations[run.googleapis.com/secrets]",
        "spec.template.spec.volumes[0].csi.driver",
    ]
