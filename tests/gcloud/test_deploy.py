"""`gcloud run deploy` and `services update`: every flag that becomes a field or an annotation (contract §7.5)."""

from __future__ import annotations

import pytest

from tests.gcloud.conftest import Stored
from tests.support.api import SLOW, WEB
from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]
RUN = "run.googleapis.com/"
KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
PRIVATE = "--no-allow-unauthenticated"


def test_several_containers(gcloud: Gcloud, stored: Stored) -> None:
    printed = gcloud(
        "deploy", "pair", PRIVATE,
        "--container=web", f"--image={WEB}", "--port=9000", "--depends-on=cache", "--cpu=1", "--memory=256Mi",
        "--container=cache", f"--image={SLOW}", "--args=cache", "--set-env-vars=A=1", "--cpu=500m",
        "--memory=128Mi", "--startup-probe=tcpSocket.port=6379,periodSeconds=1,failureThreshold=100",
    )  # fmt: skip
    assert "has been deployed and is serving 100 percent of traffic." in printed
    _, v2 = stored("services/pair")
    cache, web = sorted(v2["template"]["containers"], key=lambda container: str(container["name"]))
    assert (web["dependsOn"], web["ports"]) == (["cache"], [{"name": "http1", "containerPort": 9000}])
    assert "ports" not in cache and cache["startupProbe"]["tcpSocket"] == {"port": 6379}
    assert cache["resources"]["limits"] == {"cpu": "500m", "memory": "128Mi"}

    printed = gcloud.refused("services", "update", "pair", "--container=cache", "--depends-on=web")
    assert "itself waits for this container" in printed


def test_what_runs_and_how_many(gcloud: Gcloud, stored: Stored) -> None:
    printed = gcloud(
        "deploy", "full", f"--image={WEB}", "--allow-unauthenticated", "--memory=1Gi", "--cpu=2", "--concurrency=17",
        "--timeout=90", "--min-instances=1", "--max-instances=7", "--min=2", "--cpu-boost", "--no-cpu-throttling",
        "--execution-environment=gen2", "--session-affinity", "--service-account=me@homerun.iam.gserviceaccount.com",
        "--port=9000", "--command=/bin/app", "--args=--fast,-v", "--set-env-vars=A=1,B=two", "--labels=team=a",
        "--ingress=internal", "--description=first", "--revision-suffix=first", "--tag=blue",
        "--startup-probe=tcpSocket.port=9000,periodSeconds=5,failureThreshold=4,timeoutSeconds=2",
        "--liveness-probe=httpGet.path=/livez,initialDelaySeconds=7",
    )  # fmt: skip
    assert "Service [full] revision [full-first] has been deployed and is serving 100 percent of traffic." in printed
    assert "Service URL: http://full-100000000001.us-central1.run.localhost:8080" in printed
    assert "reached directly at http://blue---full-100000000001.us-central1.run.localhost:8080" in printed

    v1, v2 = stored("services/full")
    assert {k: v2[k] for k in ("description", "ingress", "labels", "scaling", "client")} == {
        "description": "first",
        "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
        "labels": {"team": "a"},
        "scaling": {"minInstanceCount": 2},
        "client": "gcloud",
    }
    template = v2["template"]
    [container] = template.pop("containers")
    expected = {
        "revision": "full-first",
        "scaling": {"minInstanceCount": 1, "maxInstanceCount": 7},
        "maxInstanceRequestConcurrency": 17,
        "timeout": "90s",
        "sessionAffinity": True,
        "serviceAccount": "me@homerun.iam.gserviceaccount.com",
        "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
    }
    assert {key: template.get(key) for key in expected} == expected
    assert container == {
        "image": WEB,
        "command": ["/bin/app"],
        "args": ["--fast", "-v"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "two"}],
        "ports": [{"name": "http1", "containerPort": 9000}],
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "cpuIdle": False, "startupCpuBoost": True},
        "startupProbe": {
            "timeoutSeconds": 2, "periodSeconds": 5, "failureThreshold": 4, "tcpSocket": {"port": 9000},
        },
        "livenessProbe": {
            "initialDelaySeconds": 7, "timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3,
            "httpGet": {"path": "/livez", "port": 9000},
        },
    }  # fmt: skip

    expected = {RUN + "ingress": "internal", RUN + "description": "first", RUN + "minScale": "2"}
    assert expected.items() <= v1["metadata"]["annotations"].items()
    annotations = v1["spec"]["template"]["metadata"]["annotations"]
    assert {
        "autoscaling.knative.dev/minScale": "1",
        "autoscaling.knative.dev/maxScale": "7",
        RUN + "cpu-throttling": "False",
        RUN + "startup-cpu-boost": "True",
        RUN + "sessionAffinity": "true",
        RUN + "execution-environment": "gen2",
    }.items() <= annotations.items()
    spec = v1["spec"]["template"]["spec"]
    assert (spec["containerConcurrency"], spec["timeoutSeconds"]) == (17, 90)
    assert v1["spec"]["traffic"] == [
        {"latestRevision": True, "percent": 100},
        {"revisionName": "full-first", "tag": "blue"},
    ]


def test_probes_over_grpc(gcloud: Gcloud, stored: Stored) -> None:
    probe = "grpc.port=50051,grpc.service=my.Service,timeoutSeconds=5"
    gcloud("deploy", "asked", f"--image={WEB}", PRIVATE, f"--startup-probe={probe}", f"--liveness-probe={probe}")
    _, v2 = stored("services/asked")
    [container] = v2["template"]["containers"]
    asked = {"grpc": {"port": 50051, "service": "my.Service"}, "timeoutSeconds": 5}
    for key in ("startupProbe", "livenessProbe"):
        assert asked.items() <= container[key].items()
    gcloud("services", "update", "asked", "--startup-probe=", "--liveness-probe=")
    _, v2 = stored("services/asked")
    [container] = v2["template"]["containers"]
    assert "livenessProbe" not in container and container["startupProbe"]["tcpSocket"] == {"port": 8080}


def test_a_description_for_people(gcloud: Gcloud) -> None:
    gcloud("deploy", "shown", f"--image={WEB}", PRIVATE, "--cpu=2", "--set-env-vars=A=1", "--no-cpu-throttling")
    lines = [" ".join(line.split()) for line in gcloud.out("services", "describe", "shown").splitlines()]
    for line in (
        "✔ Service shown in region us-central1",
        "URL: http://shown-100000000001.us-central1.run.localhost:8080",
        "Ingress: all",
        f"Image: {WEB}",
        "Port: 8080",
        "CPU: 2",
        "A 1",
        "Concurrency: 80",
        "Timeout: 300s",
        "CPU Allocation: CPU is always allocated",
    ):
        assert line in lines


def test_what_one_machine_has_no_use_for_is_kept_and_cleared(gcloud: Gcloud, stored: Stored) -> None:
    gcloud(
        "deploy", "elsewhere", f"--image={WEB}", PRIVATE, "--vpc-connector=c1", "--vpc-egress=all-traffic",
        "--binary-authorization=default", "--breakglass=because", f"--key={KEY}", "--no-invoker-iam-check",
        "--post-key-revocation-action-type=shut-down", "--encryption-key-shutdown-hours=5",
        "--set-custom-audiences=https://a.test,b",
    )  # fmt: skip
    v1, v2 = stored("services/elsewhere")
    assert v2["binaryAuthorization"] == {"useDefault": True, "breakglassJustification": "because"}
    assert (v2["invokerIamDisabled"], v2["customAudiences"]) == (True, ["https://a.test", "b"])
    template = v2["template"]
    assert template["vpcAccess"] == {"connector": "c1", "egress": "ALL_TRAFFIC"}
    assert template["encryptionKey"] == KEY
    assert template["encryptionKeyRevocationAction"] == "SHUTDOWN"
    assert template["encryptionKeyShutdownDuration"] == "18000s"
    annotations = v1["spec"]["template"]["metadata"]["annotations"]
    assert annotations[RUN + "vpc-access-connector"] == "c1"
    assert annotations[RUN + "encryption-key-shutdown-hours"] == "5"

    gcloud(
        "services", "update", "elsewhere", "--clear-vpc-connector", "--vpc-egress=private-ranges-only",
        "--network=default", "--subnet=sub", "--network-tags=t1,t2", "--invoker-iam-check",
        "--clear-binary-authorization", "--clear-key", "--clear-post-key-revocation-action-type",
        "--clear-encryption-key-shutdown-hours", "--clear-custom-audiences",
    )  # fmt: skip
    v1, v2 = stored("services/elsewhere")
    interfaces = v2["template"]["vpcAccess"]["networkInterfaces"]
    assert interfaces == [{"network": "default", "subnetwork": "sub", "tags": ["t1", "t2"]}]
    assert not v2.get("invokerIamDisabled") and "customAudiences" not in v2
    left = ("encryptionKey", "encryptionKeyRevocationAction", "encryptionKeyShutdownDuration")
    assert not [key for key in left if key in v2["template"]]
    gcloud("services", "update", "elsewhere", "--clear-network", "--no-default-url", track="beta")
    v1, v2 = stored("services/elsewhere")
    assert "vpcAccess" not in v2["template"]
    assert v2["defaultUriDisabled"] is True and "url" not in v1["status"]
    assert v1["metadata"]["annotations"][RUN + "default-url-disabled"].lower() == "true"
    assert v2["launchStage"] == "BETA"


def test_an_update_changes_what_it_names_and_pins_the_image_that_runs(gcloud: Gcloud, stored: Stored) -> None:
    gcloud("deploy", "grown", f"--image={WEB}", PRIVATE, "--set-env-vars=A=1,B=2", "--labels=x=1,y=2")
    printed = gcloud(
        "services", "update", "grown", "--update-env-vars=B=3,C=4", "--remove-env-vars=A", "--update-labels=z=3",
        "--remove-labels=x", "--no-cpu-boost", "--cpu-throttling", "--timeout=10m", "--min-instances=2",
        "--no-session-affinity", "--concurrency=default", "--use-http2",
    )  # fmt: skip
    assert "has been deployed and is serving 100 percent of traffic" in printed
    v1, v2 = stored("services/grown")
    [container] = v2["template"]["containers"]
    assert container["env"] == [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    assert container["image"].startswith("registry.test/web@sha256:")
    assert (container["resources"]["startupCpuBoost"], container["resources"]["cpuIdle"]) == (False, True)
    assert [port["name"] for port in container["ports"]] == ["h2c"]
    assert v2["labels"] == {"y": "2", "z": "3"}
    assert (v2["template"]["timeout"], v2["template"]["scaling"]["minInstanceCount"]) == ("600s", 2)
    assert v1["spec"]["template"]["spec"]["containers"][0]["image"] == container["image"]
    assert v2["generation"] == "2" and v2["observedGeneration"] == "2"

    gcloud(
        "services",
        "update",
        "grown",
        "--clear-env-vars",
        "--clear-labels",
        "--min-instances=default",
        "--args=",
        "--no-use-http2",
    )
    _, v2 = stored("services/grown")
    assert [port["name"] for port in v2["template"]["containers"][0]["ports"]] == ["http1"]
    assert "env" not in v2["template"]["containers"][0] and "labels" not in v2
    assert "minInstanceCount" not in v2["template"]["scaling"]


def test_scaling_by_hand_and_limits_of_the_whole_service(gcloud: Gcloud, stored: Stored) -> None:
    gcloud("deploy", "scaled", f"--image={WEB}", PRIVATE, "--scaling=3", "--no-deploy-health-check", track="beta")
    v1, v2 = stored("services/scaled")
    assert v2["scaling"] == {"scalingMode": "MANUAL", "manualInstanceCount": 3}
    assert v2["template"]["healthCheckDisabled"] is True
    annotations = v1["metadata"]["annotations"]
    assert (annotations[RUN + "scalingMode"], annotations[RUN + "manualInstanceCount"]) == ("manual", "3")
    revision = v2["latestReadyRevision"]
    gcloud("services", "update", "scaled", "--scaling=auto", "--min=1", "--max=5", track="beta")
    _, v2 = stored("services/scaled")
    assert (v2["scaling"]["minInstanceCount"], v2["scaling"]["maxInstanceCount"]) == (1, 5)
    assert v2["latestReadyRevision"] == revision, "this is the service's alone: no new revision"


def test_deploying_without_waiting(gcloud: Gcloud) -> None:
    assert "is deploying asynchronously" in gcloud("deploy", "later", f"--image={WEB}", PRIVATE, "--async")
    described = gcloud.out("services", "describe", "later", "--format=value(metadata.name,metadata.generation)")
    assert described.split() == ["later", "1"]


def test_who_may_call_is_asked_for_with_the_deploy(gcloud: Gcloud) -> None:
    gcloud("deploy", "open", f"--image={WEB}", "--allow-unauthenticated")
    policy = gcloud.json("services", "get-iam-policy", "open")
    assert policy["bindings"] == [{"members": ["allUsers"], "role": "roles/run.invoker"}]
    gcloud("deploy", "open", f"--image={WEB}", PRIVATE)
    assert "bindings" not in gcloud.json("services", "get-iam-policy", "open")


def test_volumes_and_where_they_are_mounted(gcloud: Gcloud, stored: Stored) -> None:
    gcloud(
        "deploy", "volumes", f"--image={WEB}", PRIVATE, "--execution-environment=gen2",
        "--add-volume=name=scratch,type=in-memory,size-limit=64Mi", "--add-volume=name=plain,type=in-memory",
        "--add-volume=name=models,type=cloud-storage,bucket=models,readonly=true",
        "--add-volume=name=data,type=cloud-storage,bucket=host:/srv/data",
        "--add-volume=name=share,type=nfs,location=10.0.0.2:/export,readonly=true",
        "--add-volume-mount=volume=scratch,mount-path=/scratch", "--add-volume-mount=volume=models,mount-path=/models",
    )  # fmt: skip
    _, v2 = stored("services/volumes")
    template = v2["template"]
    assert {volume.pop("name"): volume for volume in template["volumes"]} == {
        "scratch": {"emptyDir": {"medium": "MEMORY", "sizeLimit": "64Mi"}},
        "plain": {"emptyDir": {"medium": "MEMORY"}},
        "models": {"gcs": {"bucket": "models", "readOnly": True}},
        "data": {"gcs": {"bucket": "host:/srv/data", "readOnly": False}},
        "share": {"nfs": {"server": "10.0.0.2", "path": "/export", "readOnly": True}},
    }
    assert template["containers"][0]["volumeMounts"] == [
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "models", "mountPath": "/models"},
    ]
    gcloud("services", "update", "volumes", "--remove-volume-mount=/models", "--remove-volume=models")
    _, v2 = stored("services/volumes")
    assert "models" not in {volume["name"] for volume in v2["template"]["volumes"]}
    assert [mount["name"] for mount in v2["template"]["containers"][0]["volumeMounts"]] == ["scratch"]
