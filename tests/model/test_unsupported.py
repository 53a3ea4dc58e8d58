"""What is not supported yet is refused, not ignored."""

from typing import Any

import pytest

from homerun.model.unsupported import JOB, SERVICE, V1_JOB, V1_SERVICE, unsupported
from homerun.wire.discovery import description


def test_each_use_is_found_with_its_own_path() -> None:
    container = {
        "env": [{"name": "A", "value": "1"}],
        "sourceCode": {"inlinedSource": {}, "cloudStorageSource": {"b": 1}},
    }
    body = {
        "template": {"containers": [{}, container], "sandboxes": {"templates": [{"name": "s"}]}},
        "iapEnabled": True,
    }
    assert {v.field for v in unsupported(body, SERVICE)} == {
        "template.containers[1].sourceCode",
        "template.sandboxes",
        "iapEnabled",
    }


def test_asking_for_nothing_is_allowed() -> None:
    body = {"template": {"containers": [{"livenessProbe": {}, "volumeMounts": []}]}, "iapEnabled": False}
    assert list(unsupported(body, SERVICE)) == []


@pytest.mark.parametrize("body", [{}, {"template": None}, {"template": []}, {"template": {"containers": {"env": 1}}}])
def test_other_shapes_do_not_matter(body: dict[str, Any]) -> None:
    assert list(unsupported(body, SERVICE)) == []


@pytest.mark.parametrize(
    ("table", "api", "schema"),
    [
        (SERVICE, "run.v2", "GoogleCloudRunV2Service"),
        (JOB, "run.v2", "GoogleCloudRunV2Job"),
        (V1_SERVICE, "run.v1", "Service"),
        (V1_JOB, "run.v1", "Job"),
    ],
)
def test_every_row_names_a_field_that_exists(table: dict[str, str], api: str, schema: str) -> None:
    """A wrong path would refuse nothing."""
    schemas = description(api).schemas
    for pattern in table:
        node: dict[str, Any] = {"$ref": schema}
        for key in pattern.split("."):
            properties = schemas[node["$ref"]]["properties"]
            assert key.removesuffix("[]") in properties, f"{schema} has no {pattern}"
            node = properties[key.removesuffix("[]")]
            node = node["items"] if key.endswith("[]") else node
