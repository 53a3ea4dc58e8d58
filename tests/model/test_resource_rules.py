"""The whole table: every rule is about fields that exist, and says what must hold."""

from typing import Any

import pytest

from homerun.model.resource_rules import JOB, OVERRIDES, SERVICE, WORKER_POOL
from homerun.model.rules import Rule, check
from homerun.wire.discovery import description

TABLES = {
    "GoogleCloudRunV2Service": SERVICE,
    "GoogleCloudRunV2WorkerPool": WORKER_POOL,
    "GoogleCloudRunV2Job": JOB,
    "GoogleCloudRunV2Overrides": OVERRIDES,
}


def leads(schema: str, path: str) -> bool:
    schemas = description("run.v2").schemas
    node: dict[str, Any] = {"$ref": schema}
    for part in path.split(".") if path else []:
        key, _, gap = part.partition("[")
        properties = schemas[node["$ref"]]["properties"] if "$ref" in node else {}
        if key not in properties:
            return False
        node = properties[key]
        if gap:
            node = node["items"] if gap == "]" else node["additionalProperties"]
    return True


@pytest.mark.parametrize("schema", TABLES)
def test_every_rule_is_about_a_field_that_exists(schema: str) -> None:
    """A wrong path would check nothing."""
    places = [place for rule in TABLES[schema] for place in (rule.path, rule.at or "")]
    assert [place for place in places if not leads(schema, place)] == []
    assert all(rule.says and rule.source for rule in TABLES[schema])


def wrong(rules: tuple[Rule, ...], **body: Any) -> list[str]:
    return [v.field for v in check(body, rules, "hello")]


TEMPLATE: dict[str, Any] = {"containers": [{"image": "x"}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"scaling": {"manualInstanceCount": 3}}, "scaling.manualInstanceCount"),
        ({"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": -1}}, "scaling.manualInstanceCount"),
        ({"customAudiences": ["https://a", " "]}, "customAudiences[1]"),
        ({"customAudiences": ["x" * 20_000] * 2}, "customAudiences"),
        ({"binaryAuthorization": {"useDefault": True, "policy": "p"}}, "binaryAuthorization.policy"),
        ({"description": "x" * 513}, "description"),
    ],
)
def test_bad_services(fields: dict[str, Any], path: str) -> None:
    assert wrong(SERVICE, template=TEMPLATE, **fields) == [path]


def test_manual_scaling_may_be_none_at_all() -> None:
    assert wrong(SERVICE, template=TEMPLATE, scaling={"scalingMode": "MANUAL", "manualInstanceCount": 0}) == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"startExecutionToken": "a", "runExecutionToken": "b"}, "runExecutionToken"),
        ({"runExecutionToken": "A"}, "runExecutionToken"),
        ({"runExecutionToken": "a" * 58}, "runExecutionToken"),
    ],
)
def test_bad_jobs(fields: dict[str, Any], path: str) -> None:
    assert wrong(JOB, template={"template": TEMPLATE}, **fields) == [path]


def test_a_job_needs_a_task() -> None:
    assert wrong(JOB) == ["template.template"]
    assert wrong(JOB, template={"taskCount": 1}) == ["template.template"]
    assert wrong(JOB, template={"template": {}}) == ["template.template.containers"]


def test_everything_wrong_is_found_at_once() -> None:
    found = wrong(
        SERVICE,
        description="x" * 513,
        labels={"a b": "c"},
        traffic=[{"percent": 101, "tag": "T"}],
        template={"timeout": "4000s", "containers": [{"env": [{"name": "PORT"}]}]},
    )
    assert sorted(found) == [
        "description",
        "labels[a b]",
        "template.containers[0].env[0].name",
        "template.containers[0].image",
        "template.timeout",
        "traffic",
        "traffic[0].percent",
        "traffic[0].tag",
    ]
