"""Services and jobs from v1 to v2 and back: nothing may be lost on either way."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homerun.apis.run_v1 import convert
from homerun.apis.run_v1.baggage import restored
from homerun.model.defaults import with_job_defaults, with_service_defaults
from homerun.wire.discovery import description
from homerun.wire.schema import parse

V2 = description("run.v2").schemas
LATEST, BY_NAME = (f"TRAFFIC_TARGET_ALLOCATION_TYPE_{type}" for type in ("LATEST", "REVISION"))

words = st.text("abcxyz", min_size=1, max_size=5)
labels = st.dictionaries(words, words, max_size=2)
limits = st.fixed_dictionaries({}, optional={"cpu": st.sampled_from(["1", "2"]), "memory": st.just("1Gi")})
probes = st.fixed_dictionaries(
    {"tcpSocket": st.just({"port": 8080})},
    optional={"periodSeconds": st.integers(1, 9), "failureThreshold": st.just(2)},
)


def containers(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    env = st.lists(st.builds(lambda name, value: {"name": name, "value": value}, words, words), max_size=2)
    container = st.fixed_dictionaries(
        {"image": words}, optional={"args": st.lists(words, min_size=1), "env": env, "name": words, **more}
    )
    return st.lists(container, min_size=1, max_size=1)


resources = st.fixed_dictionaries(
    {}, optional={"limits": limits, "cpuIdle": st.booleans(), "startupCpuBoost": st.booleans()}
)
revision_templates = st.fixed_dictionaries(
    {"containers": containers(resources=resources, startupProbe=probes)},
    optional={
        "revision": st.just("hello-blue"),
        "labels": labels,
        "annotations": labels,
        "timeout": st.integers(1, 3600).map("{}s".format),
        "maxInstanceRequestConcurrency": st.integers(1, 1000),
        "serviceAccount": words,
        "sessionAffinity": st.booleans(),
        "executionEnvironment": st.sampled_from(["EXECUTION_ENVIRONMENT_GEN1", "EXECUTION_ENVIRONMENT_GEN2"]),
        "scaling": st.fixed_dictionaries({}, optional={"minInstanceCount": st.integers(0, 9)}),
        "vpcAccess": st.just({"connector": "c", "egress": "ALL_TRAFFIC"}),
    },
)
targets = st.one_of(
    st.builds(lambda percent: {"type": LATEST, "percent": percent}, st.integers(1, 100)),
    st.builds(lambda tag: {"type": BY_NAME, "revision": "hello-1", "tag": tag}, words),
)
services = st.fixed_dictionaries(
    {"template": revision_templates},
    optional={
        "description": words,
        "labels": labels,
        "annotations": labels,
        "client": words,
        "ingress": st.sampled_from(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY"]),
        "scaling": st.fixed_dictionaries({"scalingMode": st.just("MANUAL"), "manualInstanceCount": st.integers(0, 5)}),
        "traffic": st.lists(targets, max_size=3),
        "invokerIamDisabled": st.booleans(),
        "customAudiences": st.lists(words, min_size=1),
    },
)
jobs = st.fixed_dictionaries(
    {
        "template": st.fixed_dictionaries(
            {
                "template": st.fixed_dictionaries(
                    {"containers": containers(resources=st.fixed_dictionaries({}, optional={"limits": limits}))},
                    optional={
                        "maxRetries": st.integers(0, 10),
                        "timeout": st.integers(1, 604800).map("{}s".format),
                        "serviceAccount": words,
                    },
                )
            },
            optional={
                "taskCount": st.integers(1, 99),
                "parallelism": st.integers(0, 9),
                "labels": labels,
                "annotations": labels,
            },
        )
    },
    optional={"labels": labels, "client": words},
)


@given(services)
def test_a_service_as_it_is_stored_survives_the_way_to_v1_and_back(written: dict[str, Any]) -> None:
    stored = with_service_defaults(parse(V2, "GoogleCloudRunV2Service", written)[0], "hello", "1")
    back, violations = convert.to_v2("Service", convert.to_v1("Service", stored))
    assert violations == []
    assert with_service_defaults(back, "hello", "1") == stored


@given(jobs)
def test_a_job_as_it_is_stored_survives_the_way_to_v1_and_back(written: dict[str, Any]) -> None:
    stored = with_job_defaults(parse(V2, "GoogleCloudRunV2Job", written)[0], "work", "1")
    back, violations = convert.to_v2("Job", convert.to_v1("Job", stored))
    assert violations == []
    assert with_job_defaults(back, "work", "1") == stored


extra_annotations = st.dictionaries(
    st.sampled_from(["run.googleapis.com/some-feature", "own/key", "serving.knative.dev/rollout"]), words
)


@given(services, extra_annotations, st.sampled_from([None, "Always"]))
def test_a_v1_service_comes_back_as_it_was_sent(
    written: dict[str, Any], annotations: dict[str, str], policy: str | None
) -> None:
    sent = convert.to_v1("Service", written)
    sent["metadata"]["annotations"] = {**sent["metadata"].get("annotations", {}), **annotations}
    if policy:
        sent["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = policy
    v2, _ = convert.to_v2("Service", sent)
    returned = restored(convert.to_v1("Service", v2), convert.baggage("Service", sent, v2))
    assert _contains(returned, sent)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return all(key in whole and _contains(whole[key], item) for key, item in part.items() if item not in ({}, []))
    if isinstance(part, list):
        return len(whole) == len(part) and all(_contains(a, b) for a, b in zip(whole, part, strict=True))
    return bool(whole == part)


def test_what_the_server_adds_is_no_baggage() -> None:
    sent = {
        "metadata": {
            "annotations": {"run.googleapis.com/operation-id": "x", "serving.knative.dev/creator": "me"},
            "labels": {"cloud.googleapis.com/location": "r"},
        },
        "spec": {"template": {"spec": {"containers": [{"image": "x"}]}}},
        "status": {"url": "x"},
    }
    v2, _ = convert.to_v2("Service", sent)
    assert convert.baggage("Service", sent, v2) == {}
