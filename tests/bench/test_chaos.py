"""The chaos run excuses what a fault may break, and nothing else; and its table goes where it belongs."""

from pathlib import Path

import pytest

from bench.chaos import report
from bench.chaos.ledger import BROKEN, REFUSED, SLACK, Fault, Ledger, Request


def request(began: float, ended: float, outcome: str = BROKEN, service: str = "shared") -> Request:
    return Request(service, f"{service}-1", began, ended, outcome)


def test_a_fault_excuses_what_it_may_break_while_it_shows() -> None:
    fault = Fault("router killed", 100, frozenset({BROKEN}), ended=101, recovered=2)
    assert fault.excuses(request(99, 100.5)), "it was under way"
    assert fault.excuses(request(103, 110)), "not everything has recovered"
    assert not fault.excuses(request(103.1 + SLACK, 110))
    assert not fault.excuses(request(90, 99.9))
    assert not fault.excuses(request(100, 101, REFUSED))


def test_a_fault_of_one_service_excuses_no_other_one() -> None:
    fault = Fault("container killed", 100, frozenset({BROKEN}), frozenset({"alone"}), ended=100)
    assert fault.excuses(request(100, 101, service="alone"))
    assert not fault.excuses(request(100, 101, service="shared"))


def test_what_nothing_excuses_is_found() -> None:
    ledger = Ledger(requests=[request(1, 2), request(100, 101), request(1, 2, "ok")])
    ledger.faults.append(Fault("router killed", 100, frozenset({BROKEN}), ended=100))
    assert ledger.unexcused() == [request(1, 2)]
    assert report.by_fault(ledger) == {"nothing": 1, "router killed": 1}


def test_the_last_run_takes_the_place_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "reliability.md"
    page.write_text("# Reliability\n\n## Before\n\nx\n\n## What a run found\n\nold\n")
    monkeypatch.setattr(report, "PAGE", page)
    sizes = {"control": {"descriptors": 40, "networks": 4, "mib": 70.0}}
    results = {
        "machine": {"cpu": "a", "cores": 2, "memory_gib": 1, "kernel": "6", "at": "now"},
        "seed": 7,
        "seconds": 300.0,
        "faults": [{"name": "disk full", "note": "", "seconds": 3.0, "recovered": 0.5}],
        "counts": {"requests": 12345},
        "broken": {"disk full": 3},
        "processes": {"before": sizes, "after": sizes, "most": {"control": 80.0}},
        "problems": [],
    }
    report.write(results)
    report.write(results)
    text = page.read_text()
    assert text.startswith("# Reliability\n\n## Before\n\nx\n\n## What a run found\n")
    assert text.count("What a run found") == 1 and "old" not in text
    assert "12,345" in text and "Nothing was otherwise than it should be." in text
