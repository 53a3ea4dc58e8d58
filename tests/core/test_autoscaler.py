import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.core.autoscaler import Autoscaler, Decision, Scaling


def steady(scaler: Autoscaler, concurrency: float, seconds: int) -> float:
    for second in range(1, seconds + 1):
        scaler.observe(concurrency, in_flight=int(concurrency), waiting=0, now=second)
    return seconds


def test_without_traffic_nothing_is_wanted() -> None:
    assert Autoscaler(Scaling(80)).decide(0) == Decision(0, "no traffic")


def test_a_waiting_request_wants_an_instance_at_once() -> None:
    scaler = Autoscaler(Scaling(80))
    scaler.demand(in_flight=0, waiting=1)
    assert scaler.decide(0) == Decision(1, "1 waiting and 0 in flight need 1 at concurrency 80")


def test_waiting_requests_want_as_many_instances_as_hold_them_all() -> None:
    scaler = Autoscaler(Scaling(1))
    scaler.demand(in_flight=3, waiting=4)
    assert scaler.decide(0).want == 7


def test_a_minute_of_load_is_spread_at_sixty_percent() -> None:
    scaler = Autoscaler(Scaling(10))
    now = steady(scaler, 12, 60)
    assert scaler.decide(now) == Decision(2, "concurrency 12.00 over 60 s at a target of 6 an instance needs 2")


def test_a_second_of_load_moves_the_metric_little() -> None:
    scaler = Autoscaler(Scaling(10))
    now = steady(scaler, 10, 1)
    assert scaler.decide(now) == Decision(1, "a request is in flight")


def test_the_last_instance_is_held_by_a_request_in_flight_only() -> None:
    scaler = Autoscaler(Scaling(10))
    now = steady(scaler, 2, 60)
    scaler.observe(0, in_flight=0, waiting=0, now=now + 1)
    assert scaler.decide(now + 1) == Decision(0, "no traffic")


def test_the_maximum_is_a_cap_and_says_so() -> None:
    scaler = Autoscaler(Scaling(1, max=2))
    scaler.demand(in_flight=0, waiting=5)
    assert scaler.decide(0).want == 2
    assert scaler.decide(0).reason.endswith("held at the maximum of 2")


def test_the_minimum_holds_without_traffic() -> None:
    assert Autoscaler(Scaling(80, min=3)).decide(0) == Decision(3, "minimum of 3")


def test_manual_scaling_ignores_load_minimum_and_maximum() -> None:
    scaler = Autoscaler(Scaling(1, min=5, max=9, fixed=0))
    scaler.demand(in_flight=0, waiting=100)
    assert scaler.decide(0) == Decision(0, "manual scaling: 0")


def worked(scaler: Autoscaler, cores: float, seconds: int = 60, in_flight: int = 1) -> float:
    for second in range(1, seconds + 1):
        scaler.observe(in_flight, in_flight, 0, second)
        scaler.observe_cpu(cores, second)
    return seconds


def test_a_minute_of_cpu_is_spread_at_sixty_percent() -> None:
    scaler = Autoscaler(Scaling(80, cpu=2))
    decision = scaler.decide(worked(scaler, 3))
    assert decision == Decision(3, "3.00 CPU used over 60 s at a target of 1.2 an instance needs 3")
    assert (decision.driver, decision.asked, decision.limit) == ("cpu", 3, "")
    assert decision.observed is not None and decision.observed.cpu == pytest.approx(3)


def test_the_driver_that_asks_for_more_wins() -> None:
    for cores, in_flight, driver, want in ((1, 20, "concurrency", 4), (4, 20, "cpu", 7)):
        scaler = Autoscaler(Scaling(10))
        decision = scaler.decide(worked(scaler, cores, in_flight=in_flight))
        assert (decision.driver, decision.want) == (driver, want)


def test_samples_of_cpu_may_be_seconds_apart() -> None:
    scaler = Autoscaler(Scaling(80))
    for now in range(5, 61, 5):
        scaler.observe(1, 1, 0, now)
        scaler.observe_cpu(1.8, now, span=5)
    assert scaler.decide(60).want == 3


def test_what_instances_do_without_requests_starts_no_others() -> None:
    scaler = Autoscaler(Scaling(80))
    now = worked(scaler, 5, in_flight=0)
    assert scaler.decide(now) == Decision(0, "no traffic")


def test_targets_of_ones_own_and_drivers_that_are_disabled() -> None:
    scaler = Autoscaler(Scaling(10, cpu_target=0.9, concurrency_target=0))
    decision = scaler.decide(worked(scaler, 1.8, in_flight=50))
    assert (decision.driver, decision.want) == ("cpu", 2)
    scaler = Autoscaler(Scaling(10, cpu_target=0, concurrency_target=0.5))
    decision = scaler.decide(worked(scaler, 8, in_flight=15))
    assert (decision.driver, decision.want) == ("concurrency", 3)
    scaler.demand(in_flight=50, waiting=1)
    assert scaler.decide(60).driver == "demand", "who waits is never left to wait"


def test_a_limit_says_where_it_is_from_and_what_was_asked_for() -> None:
    scaler = Autoscaler(Scaling(1, min=2, max=4, min_from="half of 4", max_from="half of 8"))
    decision = scaler.decide(0)
    assert (decision.want, decision.asked, decision.reason) == (2, 0, "minimum of 2 (half of 4)")
    scaler.demand(0, 9)
    decision = scaler.decide(0)
    assert (decision.want, decision.asked, decision.limit) == (4, 9, "held at the maximum of 4 (half of 8)")


@given(
    concurrency=st.integers(1, 1000),
    minimum=st.integers(0, 20),
    extra=st.integers(0, 100),
    load=st.lists(st.tuples(st.floats(0, 5000), st.integers(0, 5000), st.integers(0, 500)), max_size=100),
)
def test_a_decision_is_always_between_minimum_and_maximum(
    concurrency: int, minimum: int, extra: int, load: list[tuple[float, int, int]]
) -> None:
    scaler = Autoscaler(Scaling(concurrency, minimum, minimum + extra))
    for now, (average, in_flight, waiting) in enumerate(load):
        scaler.observe(average, in_flight, waiting, now)
        want = scaler.decide(now).want
        assert minimum <= want <= minimum + extra
        if waiting and minimum + extra:
            assert want >= 1


def test_its_repr_shows_the_load() -> None:
    scaler = Autoscaler(Scaling(80))
    scaler.demand(2, 1)
    assert repr(scaler).startswith("<Autoscaler 2 in flight, 1 waiting")
