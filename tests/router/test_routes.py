from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.router.routes import Routes
from homerun.wire.link import RouteSet, Target


def routes(*targets: Target, hosts: tuple[str, ...] = ("a.example",), service: str = "s") -> Routes:
    made = Routes()
    made.set(RouteSet(service, list(hosts), list(targets)))
    return made


def pick(table: Routes, host: bytes) -> str | None:
    route = table.find(host)
    assert route is not None
    return route.pick()


@pytest.mark.parametrize(
    "host", [b"a.example", b"A.Example", b"a.example:8080", b"a.example.", b"a.example:", b"a.example"]
)
def test_case_port_and_final_dot_of_a_host_do_not_matter(host: bytes) -> None:
    table = routes(Target("r", 100))
    assert pick(table, host) == "r"
    assert pick(table, host) == "r"


@pytest.mark.parametrize("host", [b"", b"b.example", b"example", b"x.a.example", b"a.example:80x", b":80", b"[::1]:80"])
def test_other_hosts_are_unknown(host: bytes) -> None:
    assert routes(Target("r", 100)).find(host) is None


def test_all_hosts_of_a_service_lead_to_it() -> None:
    table = routes(Target("r", 100), hosts=("a.example", "b.example", "[::1]"))
    assert pick(table, b"b.example") == pick(table, b"a.example") == pick(table, b"[::1]:8080") == "r"


def test_a_tag_has_a_host_of_its_own_even_without_traffic() -> None:
    table = routes(Target("old", 100), Target("new", 0, "green"))
    assert pick(table, b"green---a.example") == "new"
    assert {pick(table, b"a.example") for _ in range(200)} == {"old"}


def test_a_service_without_targets_is_known_but_not_ready() -> None:
    assert pick(routes(), b"a.example") is None


def test_new_routes_replace_the_old_ones() -> None:
    table = routes(Target("old", 100), hosts=("a.example", "b.example"))
    assert pick(table, b"a.example:1") == "old"
    table.set(RouteSet("s", ["a.example"], [Target("new", 100)]))
    assert pick(table, b"a.example:1") == "new"
    assert table.find(b"b.example") is None


def test_a_dropped_service_is_unknown() -> None:
    table = routes(Target("r", 100))
    assert table.find(b"A.example") is not None
    table.drop("s")
    assert table.find(b"A.example") is None
    assert table.services() == []
    table.drop("s")


def test_a_host_that_passed_to_another_service_stays_with_it() -> None:
    table = routes(Target("r", 100))
    table.set(RouteSet("other", ["a.example"], [Target("q", 100)]))
    table.drop("s")
    assert pick(table, b"a.example") == "q"


def test_an_unknown_host_that_appears_is_found() -> None:
    table = routes(Target("r", 100))
    assert table.find(b"b.example:80") is None
    table.set(RouteSet("t", ["b.example"], [Target("q", 100)]))
    assert pick(table, b"b.example:80") == "q"


@st.composite
def shares(draw: st.DrawFn) -> list[int]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), max_size=5)))
    return [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]


@given(shares())
def test_shares_are_exact_over_every_hundred_requests(percents: list[int]) -> None:
    table = routes(*[Target(f"r{n}", percent) for n, percent in enumerate(percents)])
    picked = [pick(table, b"a.example") for _ in range(250)]
    for start in (0, 37, 150):
        counts = Counter(picked[start : start + 100])
        if len([p for p in percents if p]) > 1:
            assert [counts[f"r{n}"] for n in range(len(percents))] == percents


def test_shares_are_mixed_within_ten_requests() -> None:
    table = routes(Target("a", 50), Target("b", 50))
    picked = [pick(table, b"a.example") for _ in range(100)]
    assert all(3 <= picked[at : at + 10].count("a") <= 7 for at in range(90))


def test_clients_that_alternate_between_two_requests_see_both_revisions_with_each() -> None:
    table = routes(Target("a", 50), Target("b", 50))
    picked = [pick(table, b"a.example") for _ in range(100)]
    assert 20 <= picked[::2].count("a") <= 30


def test_reprs() -> None:
    table = routes(Target("r", 100))
    assert repr(table) == "<Routes 1 services, 1 hosts>"
    assert "s" in repr(table.find(b"a.example"))
