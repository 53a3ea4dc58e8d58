"""Targets of traffic, or of instances, in both versions (contract §4.2)."""

from typing import Any

import pytest

from homerun.apis.run_v1.traffic import to_v1, to_v2
from homerun.model.defaults import INSTANCE_SPLIT, TRAFFIC_TARGET

LATEST, BY_REVISION = f"{TRAFFIC_TARGET}LATEST", f"{TRAFFIC_TARGET}REVISION"


@pytest.mark.parametrize(
    ("v1", "v2"),
    [
        ({"latestRevision": True, "percent": 100}, {"type": LATEST, "percent": 100}),
        ({"revisionName": "a-1", "tag": "t"}, {"type": BY_REVISION, "revision": "a-1", "tag": "t"}),
    ],
)
def test_both_ways(v1: dict[str, Any], v2: dict[str, Any]) -> None:
    assert to_v2(v1, TRAFFIC_TARGET) == v2
    assert to_v1(v2) == v1


def test_no_revision_means_the_latest() -> None:
    assert to_v2({"percent": 1, "latestRevision": False}, TRAFFIC_TARGET) == {"type": LATEST, "percent": 1}


def test_a_revision_and_the_latest_at_once_are_left_to_the_rules() -> None:
    made = to_v2({"revisionName": "a-1", "latestRevision": True}, TRAFFIC_TARGET)
    assert made == {"type": LATEST, "revision": "a-1"}


def test_full_names_are_shortened() -> None:
    assert to_v1({"type": BY_REVISION, "revision": "projects/p/…/revisions/a-1"}) == {"revisionName": "a-1"}


def test_shares_of_instances_have_types_of_their_own() -> None:
    made = to_v2({"revisionName": "a-1", "percent": 50}, INSTANCE_SPLIT)
    assert made == {"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION", "revision": "a-1", "percent": 50}
    assert to_v1(made) == {"revisionName": "a-1", "percent": 50}
