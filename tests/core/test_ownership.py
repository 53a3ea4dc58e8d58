from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from homerun.core.ownership import Share, owner

NAMES = st.text(min_size=1)


def service(number: int) -> str:
    return f"projects/p/locations/l/services/s{number}"


@given(NAMES, st.integers(1, 64))
def test_each_service_belongs_to_exactly_one_router(name: str, count: int) -> None:
    owners = [index for index in range(count) if Share(index, count).owns(name)]
    assert owners == [owner(name, count)]


def test_one_router_owns_everything() -> None:
    assert all(Share().owns(service(n)) and Share().owns_revision(f"{service(n)}/revisions/r") for n in range(100))


def test_a_revision_belongs_where_its_service_does() -> None:
    for n in range(100):
        for index in range(3):
            share = Share(index, 3)
            assert share.owns_revision(f"{service(n)}/revisions/s{n}-00001-abc") == share.owns(service(n))


def test_services_are_spread_evenly() -> None:
    counts = Counter(owner(service(n), 4) for n in range(4000))
    assert all(850 < counts[index] < 1150 for index in range(4))
