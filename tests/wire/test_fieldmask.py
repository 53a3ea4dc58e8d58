"""Update masks."""

from typing import Any

import pytest

from homerun.wire.discovery import description
from homerun.wire.fieldmask import check_mask, merge

STORED = {
    "description": "old",
    "labels": {"a": "1"},
    "template": {"timeout": "300s", "scaling": {"minInstanceCount": 1}},
}


@pytest.mark.parametrize("mask", ["", "*", " "])
def test_no_mask_means_everything_that_was_sent(mask: str) -> None:
    assert merge(STORED, {"description": "new"}, mask) == {"description": "new"}


@pytest.mark.parametrize(
    ("mask", "sent", "changed"),
    [
        ("description", {"description": "new", "labels": {}}, {"description": "new"}),
        ("labels", {}, {"labels": ...}),
        ("template.timeout", {"template": {"timeout": "5s"}}, {"template": {**STORED["template"], "timeout": "5s"}}),  # type: ignore[dict-item]
        (
            "template.scaling.max_instance_count",
            {"template": {"scaling": {"maxInstanceCount": 9}}},
            {"template": {"timeout": "300s", "scaling": {"minInstanceCount": 1, "maxInstanceCount": 9}}},
        ),
        ("ingress,description", {"ingress": "X", "description": "new"}, {"ingress": "X", "description": "new"}),
    ],
)
def test_only_what_is_named_changes(mask: str, sent: dict[str, Any], changed: dict[str, Any]) -> None:
    wanted = {key: value for key, value in {**STORED, **changed}.items() if value is not ...}
    assert merge(STORED, sent, mask) == wanted


def test_neither_side_is_touched() -> None:
    sent = {"template": {"timeout": "5s"}}
    merge(STORED, sent, "template.timeout")["template"]["timeout"] = "other"
    assert STORED["template"]["timeout"] == "300s"  # type: ignore[index]
    assert sent == {"template": {"timeout": "5s"}}


V2 = description("run.v2").schemas


@pytest.mark.parametrize("path", ["nothing", "description.inner", "labels.a", "traffic.percent", "template.x", "."])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    (violation,) = check_mask(V2, "GoogleCloudRunV2Service", f"labels,{path}")
    assert violation.field == "updateMask"
    assert repr(path) in violation.description


@pytest.mark.parametrize("mask", ["", "*", "labels, traffic", "template.vpc_access.connector", "template.scaling"])
def test_other_paths_are_taken(mask: str) -> None:
    assert list(check_mask(V2, "GoogleCloudRunV2Service", mask)) == []
