import pytest

from homerun.core.allotment import BOOST_AFTER_READY, Allotment, Allowance, boosted

IDLE = 0.01


def made(*, boost: bool = False, throttled: bool = True, adopted: bool = False) -> Allotment:
    return Allotment(Allowance(1, 2 if boost else 1, throttled=throttled), IDLE, 100, adopted=adopted)


@pytest.mark.parametrize(("cores", "start"), [(0.08, 2), (1, 2), (2, 4), (4, 8), (6, 8), (8, 8), (1.5, 4), (16, 16)])
def test_the_boost_by_the_limit(cores: float, start: float) -> None:
    assert boosted(cores) == start
    assert Allowance(cores, start).boosts is (start > cores)


def test_a_throttled_instance_has_its_cpu_from_its_first_request_to_its_last() -> None:
    one = made()
    assert one.cores == 1
    assert one.idle(101) == IDLE
    assert one.idle(102) is None
    assert one.busy(103) == 1
    assert one.busy(104) is None
    assert one.idle(105) == IDLE
    assert one.wake is None


def test_without_throttling_requests_do_not_matter() -> None:
    one = made(throttled=False)
    assert one.idle(101) is None
    assert one.busy(102) is None
    assert one.cores == 1


def test_the_boost_lasts_a_while_after_the_start() -> None:
    one = made(boost=True, throttled=False)
    assert one.cores == 2
    assert one.wake == 100 + BOOST_AFTER_READY
    assert one.tick(109) is None
    assert one.tick(110) == 1
    assert one.wake is None


def test_the_boost_is_for_requests_only_where_the_rest_is() -> None:
    one = made(boost=True)
    assert one.idle(101) == IDLE
    assert one.busy(105) == 2
    assert one.idle(106) == IDLE
    assert one.tick(110) is None
    assert one.busy(111) == 1


def test_who_was_ready_before_us_is_boosted_no_more() -> None:
    one = made(boost=True, adopted=True)
    assert one.cores == 1
    assert one.wake is None
    assert one.idle(101) == IDLE


def test_its_repr() -> None:
    assert repr(made()) == "<Allotment busy, 1 cores>"
