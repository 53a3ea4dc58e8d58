"""Configurations of Terraform's google provider, from its documentation: after an apply, a second plan is empty.

`terraform` itself is a binary and no package, so what the provider sends and how it compares is rebuilt from its
public schemas (tests/support/terraform.py). What homerun cannot do yet is refused by field.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.api import BATCH, LOCATION, SERVING, V2, WEB, Api, Refused, api
from tests.support.secrets import Secrets
from tests.support.terraform import JOB, SERVICE, V1_SERVICE, WORKER_POOL, Fields, expand, plan

Json = dict[str, Any]


def service(container: Json | None = None, template: Json | None = None, **fields: Any) -> Json:
    containers = [{"image": WEB, **(container or {})}]
    return {"template": {"containers": containers, **(template or {})}, **fields}


LATEST = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
SECRET_ENV = {"name": "S", "valueSource": {"secretKeyRef": {"secret": "secret-1", "version": "1"}}}
SERVICES: dict[str, Json] = {
    "basic": service(ingress="INGRESS_TRAFFIC_ALL"),
    "limits": service({"resources": {"limits": {"cpu": "2", "memory": "1024Mi"}}}, ingress="INGRESS_TRAFFIC_ALL"),
    "one limit": service({"resources": {"limits": {"memory": "1Gi"}, "cpuIdle": True, "startupCpuBoost": True}}),
    "always on": service({"resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "cpuIdle": False}}),
    "scaling": service(template={"scaling": {"minInstanceCount": 1}}),
    "scaling of both": service(
        template={"scaling": {"maxInstanceCount": 2}}, scaling={"minInstanceCount": 1, "maxInstanceCount": 3}
    ),
    "manual scaling": service(scaling={"scalingMode": "MANUAL", "manualInstanceCount": 2}),
    "startup probe": service(
        {
            "startupProbe": {
                "initialDelaySeconds": 0,
                "periodSeconds": 3,
                "failureThreshold": 1,
                "tcpSocket": {"port": 8080},
            }
        }
    ),
    "http probe": service(
        {"startupProbe": {"httpGet": {"httpHeaders": [{"name": "A"}]}}, "ports": [{"containerPort": 9000}]}
    ),
    "empty probe": service({"startupProbe": {"tcpSocket": {}}}),
    "env": service(
        {"env": [{"name": "FOO", "value": "bar"}, {"name": "EMPTY"}, {"name": "A", "value": "1"}], "args": ["a"]}
    ),
    "labels and annotations": service(
        template={"labels": {"tier": "web"}, "annotations": {"note": "any text"}},
        labels={"goog-terraform-provisioned": "true", "team": "a"},
        annotations={"generated-by": "magic-modules"},
        description="a service",
        client="terraform",
        clientVersion="6.0.0",
    ),
    "traffic": service(traffic=[LATEST]),
    "traffic with a tag": service(traffic=[LATEST, {"type": LATEST["type"], "tag": "canary"}]),
    "vpc access": service(
        template={"vpcAccess": {"connector": "projects/p/locations/us-central1/connectors/c", "egress": "ALL_TRAFFIC"}}
    ),
    "direct vpc": service(
        template={"vpcAccess": {"networkInterfaces": [{"network": "default", "subnetwork": "default", "tags": ["t"]}]}},
        launchStage="GA",
    ),
    "identity and key": service(
        template={"serviceAccount": "me@p.iam.gserviceaccount.com", "encryptionKey": "projects/p/k", "timeout": "60s"},
        binaryAuthorization={"useDefault": True},
        customAudiences=["https://aud.example"],
        invokerIamDisabled=True,
    ),
    "everything of a template": service(
        {
            "name": "app",
            "command": ["/bin/app"],
            "workingDir": "/srv",
            "ports": [{"name": "http1", "containerPort": 80}],
        },
        {
            "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
            "maxInstanceRequestConcurrency": 10,
            "sessionAffinity": True,
        },
        launchStage="BETA",
    ),
    "liveness probe": service({"livenessProbe": {"httpGet": {"path": "/"}}}),
    "secret": service(
        {"volumeMounts": [{"name": "a-volume", "mountPath": "/secrets"}]},
        {
            "volumes": [
                {
                    "name": "a-volume",
                    "secret": {
                        "secret": "secret-1",
                        "defaultMode": 292,
                        "items": [{"version": "1", "path": "my-secret", "mode": 256}],
                    },
                }
            ]
        },
    ),
    "sql": service(
        {
            "env": [{"name": "FOO", "value": "bar"}, SECRET_ENV],
            "volumeMounts": [{"name": "cloudsql", "mountPath": "/cloudsql"}],
        },
        {"volumes": [{"name": "cloudsql", "cloudSqlInstance": {"instances": ["p:us-central1:i"]}}]},
    ),
    "mount gcs": service(
        {"volumeMounts": [{"name": "bucket", "mountPath": "/var/www"}]},
        {
            "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
            "volumes": [{"name": "bucket", "gcs": {"bucket": "b", "readOnly": False}}],
        },
    ),
    "mount nfs": service(
        {"volumeMounts": [{"name": "nfs", "mountPath": "/mnt/nfs/filestore"}]},
        {"volumes": [{"name": "nfs", "nfs": {"server": "10.0.0.2", "path": "/share1", "readOnly": False}}]},
    ),
    "multicontainer": {
        "template": {
            "containers": [
                {
                    "name": "hello-1",
                    "image": WEB,
                    "ports": [{"containerPort": 8080}],
                    "dependsOn": ["hello-2"],
                    "volumeMounts": [{"name": "empty-dir-volume", "mountPath": "/mnt"}],
                },
                {
                    "name": "hello-2",
                    "image": WEB,
                    "env": [{"name": "PORT_2", "value": "8081"}],
                    "startupProbe": {"httpGet": {"port": 8081}},
                },
            ],
            "volumes": [{"name": "empty-dir-volume", "emptyDir": {"medium": "MEMORY", "sizeLimit": "256Mi"}}],
        }
    },
    "gpu": service(
        {"resources": {"limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}, "startupCpuBoost": True}},
        {"nodeSelector": {"accelerator": "nvidia-l4"}, "gpuZonalRedundancyDisabled": True},
    ),
}
"""From the documentation of google_cloud_run_v2_service, and near it."""


def job(container: Json | None = None, task: Json | None = None, **execution: Any) -> Json:
    return {
        "template": {"template": {"containers": [{"image": BATCH, **(container or {})}], **(task or {})}, **execution}
    }


JOBS: dict[str, Json] = {
    "basic": job(),
    "limits": job({"resources": {"limits": {"cpu": "2", "memory": "1024Mi"}}}),
    "tasks": job({"env": [{"name": "A"}]}, {"maxRetries": 0, "timeout": "60s"}, taskCount=5, parallelism=2),
    "vpc access": job(task={"vpcAccess": {"connector": "c", "egress": "ALL_TRAFFIC"}}),
    "labels": {**job(labels={"a": "b"}, annotations={"c": "d e"}), "labels": {"team": "a"}, "client": "terraform"},
    "secret": job(
        {"volumeMounts": [{"name": "v", "mountPath": "/secrets"}]},
        {"volumes": [{"name": "v", "secret": {"secret": "s", "items": [{"version": "1", "path": "p"}]}}]},
    ),
    "emptydir": job(
        {"volumeMounts": [{"name": "v", "mountPath": "/mnt"}]},
        {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
    ),
}
POOLS: dict[str, Json] = {
    "basic": service(launchStage="GA"),
    "limits": service({"resources": {"limits": {"cpu": "2", "memory": "1024Mi"}}}),
    "scaling": service(scaling={"manualInstanceCount": 5}),
    "none": service(scaling={"manualInstanceCount": 0}),
    "split": service(instanceSplits=[{"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST", "percent": 100}]),
    "secret": service({"env": [SECRET_ENV]}),
}
NOT_YET = {
    "services": {"gpu"},
}
"""What may be refused, by the paths of these: everything else is accepted."""

_REFUSED = ("nvidia.com/gpu", "accelerator")
TABLES = {"services": (SERVICE, SERVICES), "jobs": (JOB, JOBS), "workerPools": (WORKER_POOL, POOLS)}
CASES = [(collection, name) for collection, (_, configs) in TABLES.items() for name in configs]


def may_be_refused(refused: Refused, collection: str, name: str) -> bool:
    return name in NOT_YET.get(collection, ()) and all(
        any(part in field for part in _REFUSED) for field in refused.fields
    )


async def make_secrets(a: Api) -> None:
    """Those that the configurations name."""
    for id in ("secret", "secret-1", "s"):
        await Secrets(a).create(id, b"hunter2")
        await Secrets(a).grant(id)


async def apply(a: Api, collection: str, fields: Fields, config: Json, *, update: bool = False) -> Json:
    """Create, or update as the provider does: the whole object, without a mask. Raises Refused."""
    id_field = f"{collection[:-1]}Id"
    path = f"{V2}/{collection}"
    if update:
        operation = await a("PATCH", f"{path}/tf", expand(fields, config))
    else:
        operation = await a("POST", f"{path}?{id_field}=tf", expand(fields, config))
    operation = await a.done(operation)
    assert "error" not in operation, operation["error"]
    return dict(await a("GET", f"{path}/tf"))


@pytest.mark.parametrize(("collection", "name"), CASES, ids=lambda value: value)
async def test_a_second_plan_is_empty(collection: str, name: str) -> None:
    fields, configs = TABLES[collection]
    async with api() as a:
        await make_secrets(a)
        try:
            read = await apply(a, collection, fields, configs[name])
        except Refused as refused:
            assert may_be_refused(refused, collection, name), refused
        else:
            assert plan(fields, configs[name], read) == []


@pytest.mark.parametrize(
    ("collection", "fields", "before", "after"),
    [
        ("services", SERVICE, SERVICES["labels and annotations"], SERVICES["basic"]),
        ("services", SERVICE, SERVICES["identity and key"], SERVICES["env"]),
        ("services", SERVICE, SERVICES["http probe"], SERVICES["one limit"]),
        ("services", SERVICE, SERVICES["manual scaling"], SERVICES["scaling"]),
        ("jobs", JOB, JOBS["tasks"], JOBS["basic"]),
        ("workerPools", WORKER_POOL, POOLS["scaling"], POOLS["none"]),
    ],
)
async def test_what_a_configuration_no_longer_says_is_gone(
    collection: str, fields: Fields, before: Json, after: Json
) -> None:
    async with api() as a:
        await apply(a, collection, fields, before)
        assert plan(fields, after, await a("GET", f"{V2}/{collection}/tf")) != []
        assert plan(fields, after, await apply(a, collection, fields, after, update=True)) == []


async def test_a_split_between_revisions() -> None:
    """Blue is deployed, then green beside it with a quarter of the traffic."""
    by_name = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    blue = service(template={"revision": "tf-blue"})
    shares = [
        {"type": by_name, "revision": f"tf-{name}", "percent": share} for name, share in (("blue", 75), ("green", 25))
    ]
    green = service({"env": [{"name": "A", "value": "2"}]}, {"revision": "tf-green"}, traffic=shares)
    async with api() as a:
        assert plan(SERVICE, blue, await apply(a, "services", SERVICE, blue)) == []
        read = await apply(a, "services", SERVICE, green, update=True)
        assert plan(SERVICE, green, read) == []
        assert [(t["revision"], t["percent"]) for t in read["trafficStatuses"]] == [("tf-blue", 75), ("tf-green", 25)]


async def test_an_apply_without_changes_makes_no_revision() -> None:
    async with api() as a:
        first = await apply(a, "services", SERVICE, SERVICES["env"])
        again = await apply(a, "services", SERVICE, SERVICES["env"], update=True)
        assert again["latestCreatedRevision"] == first["latestCreatedRevision"]


def v1_service(container: Json | None = None, **spec: Any) -> Json:
    template = {"spec": {"containers": [{"image": WEB, **(container or {})}]}}
    return {"spec": {"template": template, **spec}}


ALL = [{"percent": 100, "latestRevision": True}]
ANNOTATED = v1_service(traffic=ALL)
ANNOTATED["spec"]["template"]["metadata"] = {
    "annotations": {
        "autoscaling.knative.dev/maxScale": "5",
        "run.googleapis.com/client-name": "terraform",
        "run.googleapis.com/startup-cpu-boost": "True",
        "run.googleapis.com/network-interfaces": '[{"network": "default"}]',
        "run.googleapis.com/some-feature": "on",
    },
    "labels": {"run.googleapis.com/startupProbeType": "Default"},
}
ANNOTATED["metadata"] = {
    "annotations": {"run.googleapis.com/ingress": "internal", "generated-by": "magic-modules"},
    "labels": {"team": "a"},
}
V1_SERVICES: dict[str, Json] = {
    "basic": v1_service(traffic=ALL),
    "noauth": v1_service(),
    "environment": v1_service({"env": [{"name": "TARGET", "value": "home"}, {"name": "SOURCE", "value": "remote"}]}),
    "annotations": ANNOTATED,
    "limits": v1_service({"resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}, "requests": {"cpu": "500m"}}}),
    "probes": v1_service({"startupProbe": {"periodSeconds": 3, "failureThreshold": 1, "tcpSocket": {"port": 8080}}}),
    "liveness": v1_service({"livenessProbe": {"httpGet": {"path": "/"}}}),
    "secret": v1_service({"env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "1"}}}]}),
}


async def apply_v1(a: Api, config: Json, *, update: bool = False) -> Json:
    """The encoder adds what makes it a Knative object; then the provider polls until it is ready."""
    body = expand(V1_SERVICE, copy.deepcopy(config))
    body |= {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
    body["metadata"] = body.get("metadata", {}) | {"name": "tf", "namespace": "homerun"}
    if "metadata" in body["spec"]["template"]:
        body["spec"]["template"]["metadata"]["namespace"] = "homerun"
    await (a("PUT", f"{SERVING}/services/tf", body) if update else a("POST", f"{SERVING}/services", body))
    await a.world.settled("Service", f"{LOCATION}/services/tf")
    return dict(await a("GET", f"{SERVING}/services/tf"))


@pytest.mark.parametrize("name", V1_SERVICES)
async def test_a_second_plan_of_a_v1_service_is_empty(name: str) -> None:
    config = V1_SERVICES[name]
    async with api() as a:
        await make_secrets(a)
        try:
            read = await apply_v1(a, config)
        except Refused as refused:
            assert may_be_refused(refused, "v1", name), refused
            return
        assert plan(V1_SERVICE, config, read) == []
        ready = {c["type"]: c["status"] for c in read["status"]["conditions"]}["Ready"]
        assert (ready, read["status"]["observedGeneration"]) == ("True", read["metadata"]["generation"])
        assert plan(V1_SERVICE, config, await apply_v1(a, config, update=True)) == []


@pytest.mark.parametrize(
    "resource", [f"{V2}/services/tf", "/v1/projects/homerun/locations/us-central1/services/tf"], ids=["v2", "v1"]
)
async def test_iam_members_and_bindings_are_read_modify_write(resource: str) -> None:
    """google_cloud_run_v2_service_iam_member twice, then _iam_binding, then taken away."""
    role, everybody, me = "roles/run.invoker", "allUsers", "user:me@example.com"
    async with api() as a:
        await apply(a, "services", SERVICE, SERVICES["basic"])

        async def write(bindings: list[Json]) -> Json:
            policy = await a("GET", f"{resource}:getIamPolicy?options.requestedPolicyVersion=3")
            await a("POST", f"{resource}:setIamPolicy", {"policy": {**policy, "bindings": bindings}})
            return dict(await a("GET", f"{resource}:getIamPolicy?options.requestedPolicyVersion=3"))

        policy = await write([{"role": role, "members": [everybody]}])
        assert policy["bindings"] == [{"role": role, "members": [everybody]}]
        policy = await write([{"role": role, "members": [everybody, me]}])
        assert set(policy["bindings"][0]["members"]) == {everybody, me}
        assert (await write([])).get("bindings", []) == []
