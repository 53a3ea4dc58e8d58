"""Who is too fast waits; others do not."""

from homerun.core.pace import Pace


def test_a_burst_is_free_then_the_rate_holds() -> None:
    pace = Pace(burst=1.0)
    waits = [pace.wait("a", 0.1, now=100.0) for _ in range(14)]
    assert waits[:11] == [0.0] * 11, "what a second of silence has earned"
    assert [round(wait, 3) for wait in waits[11:]] == [0.1, 0.2, 0.3]
    assert pace.wait("b", 0.1, now=100.0) == 0.0, "nobody pays for another"
    assert pace.wait("a", 0.1, now=100.4) == 0.0, "having waited long enough"


def test_rest_earns_no_more_than_one_burst() -> None:
    pace = Pace(burst=1.0)
    pace.wait("a", 0.5, now=0.0)
    waits = [pace.wait("a", 0.5, now=1e6) for _ in range(4)]
    assert waits == [0.0, 0.0, 0.0, 0.5]


def test_those_who_were_here_long_ago_are_forgotten() -> None:
    pace = Pace(burst=1.0)
    for number in range(1030):
        pace.wait(str(number), 0.1, now=0.0)
    assert repr(pace) == "<Pace of 1030>"
    pace.wait("new", 0.1, now=100.0)
    assert repr(pace) == "<Pace of 1>"
