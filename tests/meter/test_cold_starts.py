from homerun.engine.base import Address, Ready
from homerun.meter import cold_starts
from homerun.meter.cold_starts import ColdStarts
from homerun.wire.link import RequestLog

REVISION = "projects/p/locations/r/services/s/revisions/v"
PHASES = {"mount": 0.001, "create": 0.02}


def ready(instance: str = "i1", at: float = 100.0) -> Ready:
    return Ready(instance, Address("10.0.0.2", 8080), at, PHASES)


def request(at: float, waited: float = 0.0, instance: str = "i1") -> RequestLog:
    return RequestLog(REVISION, instance, at, 1, b"GET", b"http://s/", 200, 1, 1, b"", "ip", b"", "", waited)


def test_a_request_that_came_before_the_instance_was_ready_has_waited_for_it() -> None:
    starts = ColdStarts()
    start = starts.ready(REVISION, ready(at=100))
    assert start.delayed(request(at=99.9, waited=0.11))
    assert start.delayed(request(at=99.95, waited=0.06))
    assert (start.waited, start.longest, start.took) == (2, 0.11, 0.021)


def test_one_that_waited_for_a_slot_of_a_busy_instance_or_not_at_all_has_not() -> None:
    starts = ColdStarts()
    start = starts.ready(REVISION, ready(at=100))
    assert not start.delayed(request(at=101, waited=2))
    assert not start.delayed(request(at=99.9))
    assert start.waited == 0


def test_the_newest_of_each_revision_are_kept_in_the_order_of_time() -> None:
    starts = ColdStarts()
    for number in range(30):
        starts.ready(REVISION, ready(f"i{number}", at=float(number)))
    starts.ready("other", ready("x", at=15.5))
    kept = starts.of([REVISION, "other", "unknown"])
    assert len(kept) == cold_starts.KEPT + 1
    assert [start.instance for start in kept][5:8] == ["i15", "x", "i16"]
    starts.gone(REVISION)
    assert [start.instance for start in starts.of([REVISION, "other"])] == ["x"]


def test_an_instance_is_known_for_a_while_beyond_its_end() -> None:
    starts = ColdStarts()
    starts.ready(REVISION, ready("i1"))
    starts.ended("i1")
    assert starts.start_of("i1") is not None, "its last requests are told later"
    for number in range(cold_starts.ENDED):
        starts.ready(REVISION, ready(f"later-{number}"))
        starts.ended(f"later-{number}")
    assert starts.start_of("i1") is None


def test_what_ran_before_is_known_and_no_news() -> None:
    starts = ColdStarts()
    starts.adopted(REVISION, ready())
    known = starts.start_of("i1")
    assert known is not None and known.host == "10.0.0.2"
    assert starts.of([REVISION]) == []
    assert repr(starts) == "<ColdStarts of 0 revisions, 1 instances>"
