import pytest

from homerun.model.overlap import ANNOTATION, OVERLAP, Overlap, refusal
from homerun.model.rules import check


def test_executions_of_a_job_run_side_by_side_unless_it_says_otherwise() -> None:
    assert Overlap.of({}) is Overlap.ALLOW
    assert Overlap.of({"annotations": {"other": "x"}}) is Overlap.ALLOW
    assert Overlap.of({"annotations": {ANNOTATION: "replace"}}) is Overlap.REPLACE


@pytest.mark.parametrize("value", ["allow", "forbid", "replace"])
def test_known_policies_are_taken(value: str) -> None:
    assert list(check({"annotations": {ANNOTATION: value}}, [OVERLAP])) == []


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    [violation] = check({"annotations": {ANNOTATION: "queue"}}, [OVERLAP])
    assert violation.field == "annotations[homerun-overlap]"
    assert violation.description == "must be allow, forbid, replace, and is 'queue'"


def test_only_a_job_that_forbids_overlap_refuses_a_run_and_only_while_another_is_not_over() -> None:
    name = "projects/p/locations/l/jobs/nightly"
    forbids = {"name": name, "annotations": {ANNOTATION: "forbid"}}
    assert refusal(forbids, []) == ""
    assert refusal({"name": name}, [f"{name}/executions/nightly-one"]) == ""
    assert "Job nightly forbids" in refusal(forbids, [f"{name}/executions/nightly-one"])
