"""The model of Knative does what Knative's own documents and code say, so that it is worth comparing with."""

import pytest

from bench.knative import Buckets, Knative
from bench.simulation import World
from homerun.core.dispatcher import Sample


def world(concurrency: int = 10) -> tuple[World, Knative]:
    made = World(concurrency, float("inf"), seed=1)
    scaler = Knative(made, concurrency, 1000)
    made.scaler = scaler
    return made, scaler


def observed(scaler: Knative, concurrency: float, seconds: range) -> None:
    for second in seconds:
        scaler.sampled(Sample(concurrency, 0, 0, 0, []), second)


def test_averages_are_over_the_window_and_over_less_while_there_is_less() -> None:
    buckets = Buckets()
    buckets.record(100, 6.0)
    assert (buckets.average(100, 60), buckets.average(100, 6)) == (6, 6)
    buckets.record(101, 0.0)
    assert buckets.average(101.9, 60) == 3
    assert buckets.average(161, 60) == 0
    buckets.record(200, 4.0)
    assert buckets.average(200, 60) == 4, "after a window without data it starts anew"


def test_the_first_request_starts_a_pod_at_once() -> None:
    made, scaler = world()
    scaler.waiting(0.0)
    assert made.outcome.starts == 1


def test_a_stable_minute_is_spread_at_seventy_percent() -> None:
    made, scaler = world()
    scaler.waiting(0.0)
    scaler.ready("pod0", 1.0)
    observed(scaler, 13.0, range(1, 70))
    scaler._scale(69.5)
    assert made.outcome.starts == 2


def test_panic_begins_at_twice_the_load_and_takes_nothing_back_for_a_minute() -> None:
    made, scaler = world()
    scaler.waiting(0.0)
    scaler.ready("pod0", 1.0)
    observed(scaler, 1.0, range(1, 60))
    observed(scaler, 70.0, range(60, 66))
    scaler._scale(65.5)
    assert made.outcome.starts == 10
    observed(scaler, 1.0, range(66, 120))
    scaler._scale(119.5)
    assert len(scaler._starting) + len(scaler._ready) == 10


@pytest.mark.parametrize(("at", "gone"), [(60.5, False), (75.0, True)])
def test_one_pod_goes_a_stable_window_after_the_last_request(at: float, gone: bool) -> None:
    made, _ = world()
    ended: list[float] = []
    made.at(at, lambda now: ended.append(made.outcome.instance_seconds))
    made.run([(0.0, 0.1)])
    assert bool(ended[0]) is gone


def test_every_request_is_answered_and_every_pod_ends() -> None:
    made, _ = world(concurrency=1)
    outcome = made.run([(0.1 * number, 0.5) for number in range(500)])
    assert outcome.requests == 500 and not outcome.refused
    assert outcome.starts >= 5
