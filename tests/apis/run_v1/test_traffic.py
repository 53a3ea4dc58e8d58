"""Traffic targets of both versions (contract §4.2)."""

from typing import Any

import pytest

from homerun.apis.run_v1.traffic import BY_REVISION, LATEST, to_v1, to_v2


@pytest.mark.parametrize(
    ("v1", "v2"),
    [
        ({"latestRevision": True, "percent": 100}, {"type": LATEST, "percent": 100}),
        ({"revisionName": "a-1", "tag": "t"}, {"type": BY_REVISION, "revision": "a-1", "tag": "t"}),
    ],
)
def test_both_ways(v1: dict[str, Any], v2: dict[str, Any]) -> None:
    assert to_v2(v1) == v2
    assert to_v1(v2) == v1


def test_no_revision_means_the_latest() -> None:
    assert to_v2({"percent": 1, "latestRevision": False}) == {"type": LATEST, "percent": 1}


def test_a_revision_and_the_latest_at_once_are_left_to_the_rules() -> None:
    assert to_v2({"revisionName": "a-1", "latestRevision": True}) == {"type": LATEST, "revision": "a-1"}


def test_full_names_are_shortened() -> None:
    assert to_v1({"type": BY_REVISION, "revision": "projects/p/…/revisions/a-1"}) == {"revisionName": "a-1"}
