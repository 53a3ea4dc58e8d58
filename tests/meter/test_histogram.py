import math

from homerun.meter.histogram import BOUNDS, Histogram


def test_what_is_as_long_as_a_bound_is_not_longer_than_it() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.005, 0.0051, 2.5, 4000):
        histogram.observe(seconds)
    counts = dict(histogram.cumulative())
    assert (counts[0.005], counts[0.01], counts[1.0], counts[2.5]) == (2, 3, 3, 4)
    assert (counts[3600], counts[math.inf], histogram.count) == (4, 5, 5)
    assert histogram.seconds == 4002.5101


def test_the_longest_request_that_there_can_be_has_a_bound() -> None:
    assert max(BOUNDS) == 3600 and list(BOUNDS) == sorted(BOUNDS)


def test_it_says_what_it_is() -> None:
    assert repr(Histogram()) == "<Histogram of 0, 0.000 s>"
