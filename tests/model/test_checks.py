"""Rules for services, worker pools and jobs: what is allowed, what is not, and where it says so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.model.checks import check_job, check_overrides, check_reserved, check_service, check_worker_pool
from homerun.wire.discovery import description
from homerun.wire.schema import parse
from tests.support.schemas import documents

CONTAINERS = [{"image": "x"}]


def service(template: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    body = {"template": {"containers": CONTAINERS, **(template or {})}, **fields}
    return [v.field for v in check_service(body, "hello")]


def pool(template: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    body = {"template": {"containers": CONTAINERS, **(template or {})}, **fields}
    return [v.field for v in check_worker_pool(body, "crew")]


def job(execution: dict[str, Any] | None = None, task: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    body = {"template": {**(execution or {}), "template": {"containers": CONTAINERS, **(task or {})}}, **fields}
    return [v.field for v in check_job(body, "work")]


def traffic(*targets: dict[str, Any]) -> list[str]:
    return service(traffic=list(targets))


def test_the_least_that_there_can_be_is_good() -> None:
    assert service() == []
    assert pool() == []
    assert job() == []


def test_tags_have_a_limit() -> None:
    tagged = [{"percent": 0, "tag": f"t{number}"} for number in range(2001)]
    service = {"template": {"containers": [{"image": "i"}]}, "traffic": [{"percent": 100}, *tagged]}
    assert [v.field for v in check_service(service, "s")] == ["traffic"]


def test_the_template_is_required() -> None:
    assert [v.field for v in check_service({}, "hello")] == ["template"]
    assert [v.field for v in check_service({"template": {}}, "hello")] == ["template.containers"]
    assert [v.field for v in check_worker_pool({}, "crew")] == ["template"]
    assert [v.field for v in check_worker_pool({"template": {}}, "crew")] == ["template.containers"]
    assert [v.field for v in check_job({}, "work")] == ["template.template"]
    assert [v.field for v in check_job({"template": {"template": {}}}, "work")] == ["template.template.containers"]


@pytest.mark.parametrize(
    ("template", "field"),
    [
        ({"timeout": "3601s"}, "template.timeout"),
        ({"timeout": "-5s"}, "template.timeout"),
        ({"timeout": "0.5s"}, "template.timeout"),
        ({"maxInstanceRequestConcurrency": 1001}, "template.maxInstanceRequestConcurrency"),
        ({"maxInstanceRequestConcurrency": -1}, "template.maxInstanceRequestConcurrency"),
        ({"scaling": {"minInstanceCount": -1}}, "template.scaling.minInstanceCount"),
        ({"scaling": {"minInstanceCount": 5, "maxInstanceCount": 4}}, "template.scaling.minInstanceCount"),
        ({"revision": "other-1"}, "template.revision"),
        ({"revision": "hello-X"}, "template.revision"),
        ({"revision": "hello-" + "x" * 60}, "template.revision"),
        ({"labels": {"a b": "c"}}, "template.labels[a b]"),
        ({"volumes": [{"name": "v", "filestore": {"volume": "x"}}]}, "template.volumes[0].filestore"),
    ],
)
def test_a_bad_template_is_refused(template: dict[str, Any], field: str) -> None:
    assert service(template) == [field]


@pytest.mark.parametrize(
    "template",
    [
        {"timeout": "3600s"},
        {"timeout": "0s"},
        {"maxInstanceRequestConcurrency": 1000},
        {"scaling": {"minInstanceCount": 4, "maxInstanceCount": 4}},
        {"revision": "hello-blue"},
        {"labels": {"client.knative.dev/nonce": "abc", "a": ""}},
    ],
)
def test_a_good_template_is_taken(template: dict[str, Any]) -> None:
    assert service(template) == []


@pytest.mark.parametrize(("cpu", "concurrency", "good"), [("1", 80, True), ("500m", 80, False), ("500m", 1, True)])
def test_less_than_one_cpu_must_take_one_request_at_a_time(cpu: str, concurrency: int, good: bool) -> None:
    containers = [{"image": "x", "resources": {"limits": {"cpu": cpu}}}]
    template = {"containers": containers, "maxInstanceRequestConcurrency": concurrency}
    assert service(template) == ([] if good else ["template.maxInstanceRequestConcurrency"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"description": "x" * 513}, "description"),
        ({"labels": {"a": "not a value"}}, "labels[a]"),
        ({"labels": {"a": "x" * 64}}, "labels[a]"),
        ({"labels": {f"k{i}": "" for i in range(65)}}, "labels"),
        ({"annotations": {"": "x"}}, "annotations[]"),
        ({"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": -1}}, "scaling.manualInstanceCount"),
        ({"iapEnabled": True}, "iapEnabled"),
    ],
)
def test_a_bad_field_of_a_service_is_refused(fields: dict[str, Any], field: str) -> None:
    assert service(**fields) == [field]


BY_NAME = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"


def test_traffic_must_be_whole_and_its_targets_clear() -> None:
    assert traffic({"percent": 60}, {"type": BY_NAME, "revision": "hello-1", "percent": 40, "tag": "blue"}) == []
    assert traffic({"percent": 60}) == ["traffic"]
    assert traffic({"percent": 101}, {"percent": -1}) == ["traffic[0].percent", "traffic[1].percent"]
    assert traffic({"type": BY_NAME, "percent": 100}) == ["traffic[0].revision"]
    assert traffic({"type": LATEST, "revision": "hello-1", "percent": 100}) == ["traffic[0].revision"]


def test_tags_are_host_names_and_point_to_one_target() -> None:
    assert traffic({"percent": 100, "tag": "Blue"}) == ["traffic[0].tag"]
    assert traffic({"percent": 100, "tag": "a"}, {"tag": "a"}) == ["traffic[1].tag"]
    long = [v.field for v in check_service({"template": {"containers": CONTAINERS},
                                            "traffic": [{"percent": 100, "tag": "x" * 40}]}, "s" * 40)]  # fmt: skip
    assert long == ["traffic[0].tag"]


@pytest.mark.parametrize(
    ("execution", "task", "field"),
    [
        ({"taskCount": 10_001}, {}, "template.taskCount"),
        ({"taskCount": -1}, {}, "template.taskCount"),
        ({"taskCount": 2, "parallelism": 3}, {}, "template.parallelism"),
        ({"parallelism": -1}, {}, "template.parallelism"),
        ({}, {"maxRetries": 11}, "template.template.maxRetries"),
        ({}, {"maxRetries": -1}, "template.template.maxRetries"),
        ({}, {"timeout": "604801s"}, "template.template.timeout"),
        ({"labels": {"": ""}}, {}, "template.labels[]"),
    ],
)
def test_a_bad_job_is_refused(execution: dict[str, Any], task: dict[str, Any], field: str) -> None:
    assert field in job(execution, task)


def test_a_good_job_is_taken() -> None:
    assert job({"taskCount": 10_000, "parallelism": 10_000}, {"maxRetries": 10, "timeout": "604800s"}) == []


@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        ({}, []),
        ({"taskCount": 5, "timeout": "60s", "containerOverrides": [{"args": ["a"], "env": [{"name": "A"}]}]}, []),
        ({"taskCount": 10_001}, ["overrides.taskCount"]),
        ({"timeout": "9999999s"}, ["overrides.timeout"]),
        ({"containerOverrides": [{"name": "other"}]}, ["overrides.containerOverrides[0].name"]),
        ({"containerOverrides": [{"args": ["a"], "clearArgs": True}]}, ["overrides.containerOverrides[0].clearArgs"]),
        ({"containerOverrides": [{"env": [{"name": "PORT"}]}]}, ["overrides.containerOverrides[0].env[0].name"]),
    ],
)
def test_overrides_follow_the_rules_of_what_they_override(overrides: dict[str, Any], fields: list[str]) -> None:
    assert [v.field for v in check_overrides(overrides, [{"name": "main"}], "work")] == fields


def test_a_container_without_a_name_can_be_called_by_the_one_that_it_got() -> None:
    assert list(check_overrides({"containerOverrides": [{"name": "work-1"}]}, CONTAINERS, "work")) == []


def test_labels_and_annotations_of_the_platform_are_reserved() -> None:
    body = {
        "labels": {"run.googleapis.com/x": "1", "fine": "1"},
        "template": {"annotations": {"autoscaling.knative.dev/minScale": "1", "client.knative.dev/nonce": "1"}},
    }
    assert [v.field for v in check_reserved(body)] == [
        "labels[run.googleapis.com/x]",
        "template.annotations[autoscaling.knative.dev/minScale]",
    ]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": -1}}, ["scaling.manualInstanceCount"]),
        ({"scaling": {"manualInstanceCount": 10_001}}, ["scaling.manualInstanceCount"]),
        ({"scaling": {"manualInstanceCount": 0}}, []),
        ({"description": "x" * 513}, ["description"]),
        ({"instanceSplits": [{"percent": 60}, {"revision": "crew-1", "percent": 40}]}, []),
        ({"instanceSplits": [{"percent": 60}]}, ["instanceSplits"]),
        ({"instanceSplits": [{"percent": 101}, {"percent": -1}]}, [f"instanceSplits[{i}].percent" for i in (0, 1)]),
        (
            {"instanceSplits": [{"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION", "percent": 100}]},
            ["instanceSplits[0].revision"],
        ),
        (
            {"instanceSplits": [{"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST", "revision": "x", "percent": 100}]},
            ["instanceSplits[0].revision"],
        ),
        ({"labels": {"a b": "c"}}, ["labels[a b]"]),
    ],
    ids=str,
)
def test_a_worker_pool_has_a_number_and_a_split(fields: dict[str, Any], wrong: list[str]) -> None:
    assert pool(**fields) == wrong


def test_a_worker_pool_s_template_is_checked_as_a_service_s_but_needs_no_port() -> None:
    assert pool({"revision": "other-1"}) == ["template.revision"]
    assert pool({"containers": [{"image": "x", "ports": [{"containerPort": 9000}]}]}) == []
    assert pool({"containers": [{"image": "x", "resources": {"limits": {"cpu": "3"}}}]}) == [
        "template.containers[0].resources.limits[cpu]"
    ]


SCHEMAS = {
    "GoogleCloudRunV2Service": check_service,
    "GoogleCloudRunV2WorkerPool": check_worker_pool,
    "GoogleCloudRunV2Job": check_job,
}


@given(st.one_of(st.tuples(st.just(schema), documents("run.v2", schema, {})) for schema in SCHEMAS))
def test_whatever_the_schema_allows_is_judged(drawn: tuple[str, dict[str, Any]]) -> None:
    """Every field may be there or not, and hold any value of its type: no rule may stumble."""
    schema, sent = drawn
    body, violations = parse(description("run.v2").schemas, schema, sent)
    assert violations == []
    for violation in SCHEMAS[schema](body, "hello"):
        assert violation.description
        assert violation.field.split(".")[0].split("[")[0] in description("run.v2").schemas[schema]["properties"]
