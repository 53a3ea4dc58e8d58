from typing import Any

import pytest

from homerun.cli.rollout import stage_of


def revision(*succeeded: str) -> dict[str, Any]:
    return {"conditions": [{"type": type, "state": "CONDITION_SUCCEEDED"} for type in succeeded]}


@pytest.mark.parametrize(
    "service,made,stage",
    [
        ({}, None, "Creating the revision"),
        ({"latestCreatedRevision": "r"}, revision(), "Importing the image"),
        ({"latestCreatedRevision": "r"}, revision("ResourcesAvailable"), "Starting the container"),
        ({"latestCreatedRevision": "r"}, revision("ResourcesAvailable", "Ready"), "Routing traffic"),
        ({"latestCreatedRevision": "r"}, None, "Routing traffic"),
    ],
)
def test_stages_follow_the_conditions(service: dict[str, Any], made: dict[str, Any] | None, stage: str) -> None:
    assert stage_of(service, made) == stage


def test_the_last_stage_says_what_the_revision_is_for() -> None:
    pool = {"latestCreatedRevision": "x"}
    assert stage_of(pool, None, "Handing over the instances") == "Handing over the instances"
