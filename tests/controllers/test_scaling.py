"""What a revision may have: its own limits, and its share of its service's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.controllers.scaling import scaling
from homerun.core.autoscaler import Scaling
from homerun.model.revision import RevisionSpec
from homerun.store.base import Document

SERVICE = "projects/p/locations/r/services/s"


def spec(id: str = "a", **limits: Any) -> RevisionSpec:
    body = {"name": f"{SERVICE}/revisions/{id}", "containers": [{"image": "i"}], "scaling": limits}
    return RevisionSpec.parse(body)


def service(traffic: dict[str, int], **limits: Any) -> Document:
    statuses = [{"revision": id, **({"percent": share} if share else {"tag": id})} for id, share in traffic.items()]
    return Document("Service", SERVICE, 1, {"trafficStatuses": statuses, "scaling": limits})


def given_to(id: str, traffic: dict[str, int], service_wide: dict[str, Any], **own: Any) -> Scaling:
    return scaling(spec(id, **own), service(traffic, **service_wide))


def test_without_limits_of_the_service_the_revisions_own_count() -> None:
    found = given_to("a", {"a": 100}, {}, minInstanceCount=2, maxInstanceCount=7)
    assert (found.minimum, found.maximum, found.min_from) == (2, 7, "")


def test_a_minimum_counts_only_while_something_leads_to_the_revision() -> None:
    assert given_to("a", {"b": 100}, {"minInstanceCount": 4}, minInstanceCount=2).minimum == 0
    assert given_to("a", {"b": 100, "a": 0}, {"minInstanceCount": 4}, minInstanceCount=2).minimum == 2
    assert scaling(spec(minInstanceCount=2), None).minimum == 0


def test_the_services_minimum_is_divided_by_percent_and_says_where_it_is_from() -> None:
    found = given_to("a", {"a": 90, "b": 10}, {"minInstanceCount": 10})
    assert (found.minimum, found.min_from) == (9, "90 % of the service's 10")
    assert given_to("b", {"a": 90, "b": 10}, {"minInstanceCount": 10}).minimum == 1


def test_of_two_minimums_the_larger_counts_and_of_two_maximums_the_smaller() -> None:
    wide = {"minInstanceCount": 4, "maxInstanceCount": 8}
    found = given_to("a", {"a": 50, "b": 50}, wide, minInstanceCount=3, maxInstanceCount=5)
    assert (found.min, found.min_from, found.max, found.max_from) == (3, "", 4, "50 % of the service's 8")


def test_who_gets_any_traffic_may_have_an_instance() -> None:
    assert given_to("b", {"a": 99, "b": 1}, {"maxInstanceCount": 5}).maximum == 1


def test_a_minimum_above_the_maximum_gives_way() -> None:
    assert given_to("a", {"a": 100}, {"maxInstanceCount": 2}, minInstanceCount=5).minimum == 2


def test_shares_of_one_revision_add_up() -> None:
    statuses = [{"revision": "a", "percent": 40}, {"revision": "b", "percent": 50}, {"revision": "a", "percent": 10}]
    document = Document("Service", SERVICE, 1, {"trafficStatuses": statuses, "scaling": {"minInstanceCount": 4}})
    assert scaling(spec("a"), document).minimum == 2


MANUAL = {"scalingMode": "MANUAL", "manualInstanceCount": 4}


def test_manual_scaling_is_divided_by_percent_whatever_the_revisions_limits() -> None:
    found = given_to("a", {"a": 75, "b": 25}, MANUAL, minInstanceCount=5, maxInstanceCount=9)
    assert (found.fixed, found.fixed_from) == (3, "75 % of the service's 4")
    assert given_to("b", {"a": 75, "b": 25}, MANUAL).fixed == 1


def test_with_fewer_instances_than_revisions_some_have_none() -> None:
    wide = {"scalingMode": "MANUAL", "manualInstanceCount": 1}
    assert [given_to(id, {"a": 60, "b": 40}, wide).fixed for id in "ab"] == [1, 0]


@pytest.mark.parametrize(("own", "fixed", "maximum"), [({}, None, 1), ({"minInstanceCount": 2}, 2, 2)])
def test_manual_scaling_leaves_out_what_only_a_tag_leads_to(own: dict[str, int], fixed: int, maximum: int) -> None:
    found = given_to("t", {"a": 100, "t": 0}, {"scalingMode": "MANUAL", "manualInstanceCount": 0}, **own)
    assert (found.fixed, found.maximum) == (fixed, maximum)


def test_manual_scaling_without_a_count_takes_the_services_minimum() -> None:
    assert given_to("a", {"a": 100}, {"scalingMode": "MANUAL", "minInstanceCount": 3}).fixed == 3


def test_targets_of_ones_own() -> None:
    found = scaling(spec(cpuUtilization=0.0, concurrencyUtilization=0.9), None)
    assert (found.cpu_target, found.concurrency_target) == (0.0, 0.9)


@given(st.integers(1, 99), st.integers(0, 50))
def test_shares_of_the_minimum_add_up_to_it(percent: int, total: int) -> None:
    traffic = {"a": percent, "b": 100 - percent}
    assert sum(given_to(id, traffic, {"minInstanceCount": total}).minimum for id in "ab") == total
