"""Conditions in Knative's words."""

import pytest

from homerun.apis.run_v1.conditions import to_v1
from homerun.model.conditions import FAILED, PENDING, RECONCILING, SUCCEEDED, condition


@pytest.mark.parametrize(
    ("state", "status"), [(SUCCEEDED, "True"), (FAILED, "False"), (RECONCILING, "Unknown"), (PENDING, "Unknown")]
)
def test_states_are_three(state: str, status: str) -> None:
    assert to_v1([condition("Ready", state, 0)])[0]["status"] == status


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"reason": "CONTAINER_MISSING"}, "ContainerMissing"),
        ({"revision_reason": "HEALTH_CHECK_CONTAINER_ERROR"}, "HealthCheckContainerError"),
        ({"execution_reason": "CANCELLED"}, "Cancelled"),
    ],
)
def test_reasons_are_in_camel_case(given: dict[str, str], reason: str) -> None:
    made = to_v1([condition("Ready", FAILED, 0, message="why", severity="WARNING", **given)])
    assert made == [
        {
            "type": "Ready",
            "status": "False",
            "reason": reason,
            "message": "why",
            "lastTransitionTime": "1970-01-01T00:00:00.000000Z",
            "severity": "Warning",
        }
    ]
