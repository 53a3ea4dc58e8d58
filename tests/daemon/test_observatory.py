from homerun.daemon.observatory import Observatory
from homerun.engine.base import Address, Ready
from homerun.wire.link import RequestLog

REVISION = "projects/p/locations/r/services/s/revisions/v"


def test_what_happens_to_a_revision_reaches_logs_cold_starts_and_metrics() -> None:
    observatory = Observatory(lambda revision: True)
    observatory.ready(REVISION, Ready("i1", Address("10.0.0.2", 8080), 100.0, {"create": 0.02}), 0.03)
    observatory.answered(
        RequestLog(REVISION, "i1", 99.9, 0.3, b"GET", b"http://s/", 200, 1, 1, b"", "ip", b"", "", 0.15)
    )
    observatory.not_started(REVISION)
    observatory.ended("i1")
    [line] = observatory.requests.lines({})
    assert "create=20.0 request=150.0" in line.text
    mine = observatory.metrics.revisions[REVISION]
    assert (mine.cold_starts, mine.failed_starts, mine.startups.seconds) == (1, 1, 0.03)
    assert [start.waited for start in observatory.starts.of([REVISION])] == [1]
    observatory.gone(REVISION)
    assert not observatory.metrics.revisions and not observatory.starts.of([REVISION])


def test_an_instance_of_an_earlier_run_is_known_and_its_start_is_no_news() -> None:
    observatory = Observatory(lambda revision: True)
    observatory.adopted(REVISION, Ready("i1", Address("10.0.0.2", 8080), 100.0))
    assert not observatory.metrics.revisions and observatory.starts.start_of("i1") is not None
