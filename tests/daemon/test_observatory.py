from homerun.core.autoscaler import Decision
from homerun.daemon.observatory import Observatory
from homerun.engine.base import Address, Exit, Exited, Probed, Ready
from homerun.lib.clock import SystemClock
from homerun.meter.log_book import Making
from homerun.model.probe import Check
from homerun.model.revision import RevisionSpec
from homerun.wire.link import RequestLog

REVISION = "projects/p/locations/r/services/s/revisions/v"
SPEC = RevisionSpec.parse({"name": REVISION, "containers": [{"image": "i"}]})


def test_what_happens_to_a_revision_reaches_logs_cold_starts_and_metrics() -> None:
    kept: list[Making] = []
    observatory = Observatory(lambda revision: True, SystemClock(), kept.append)
    observatory.starting(SPEC, "i1", Decision(1, "1 waiting", "demand"))
    observatory.ready(SPEC, Ready("i1", Address("10.0.0.2", 8080), 100.0, {"create": 0.02}), 0.03)
    observatory.answered(
        RequestLog(REVISION, "i1", 99.9, 0.3, b"GET", b"http://s/", 200, 1, 1, b"", "ip", b"", "", 0.15)
    )
    observatory.probed(SPEC, Probed("i1", 100.0, "s-1", Check.STARTUP, True, 1))
    observatory.probed(SPEC, Probed("i2", 100.0, "s-1", Check.STARTUP, False, 1, "Refused."))
    observatory.not_started(SPEC, "i2", "")
    observatory.not_started(SPEC, "i3", "no such command")
    observatory.exited(SPEC, Exited("i1", 101.0, Exit(3)), "Container called exit(3).")
    observatory.ended("i1")
    rows = [making()[1] for making in kept]
    assert [(row.text or "").partition(" ")[0] for row in rows] == [
        "Starting",
        "",
        "Default",
        "Default",
        "Application",
        "Container",
    ]
    assert "create=20.0 request=150.0" in (rows[1].more or "")
    mine = observatory.metrics.revisions[REVISION]
    assert (mine.cold_starts, mine.failed_starts, mine.startups.seconds) == (1, 2, 0.03)
    assert mine.failed_probes == {Check.STARTUP: 1}
    assert [start.waited for start in observatory.starts.of([REVISION])] == [1]
    observatory.gone(REVISION)
    assert not observatory.metrics.revisions and not observatory.starts.of([REVISION])


def test_an_instance_of_an_earlier_run_is_known_and_its_start_is_no_news() -> None:
    observatory = Observatory(lambda revision: True, SystemClock(), lambda making: None)
    observatory.adopted(SPEC, Ready("i1", Address("10.0.0.2", 8080), 100.0))
    assert not observatory.metrics.revisions and observatory.starts.start_of("i1") is not None


def test_a_request_to_nobody_is_in_nobody_s_log() -> None:
    kept: list[Making] = []
    observatory = Observatory(lambda revision: True, SystemClock(), kept.append)
    observatory.answered(RequestLog("", "", 1, 0.1, b"GET", b"http://x/", 404, 1, 1, b"", "ip", b""))
    assert kept == []
