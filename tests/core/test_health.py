"""What answers to probes mean, in virtual time (contract §1.11)."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from homerun.core.health import Starting, Verdict, Watch
from homerun.model.probe import Probe

ALIVE = Probe(8080, "/", timeout=1, period=10, failure_threshold=3)
READY = Probe(8080, "/", timeout=1, period=5, failure_threshold=2, success_threshold=2)


def answers(watch: Watch, *well: bool) -> list[Verdict | None]:
    """Each given when it is due."""
    return [watch.answered(each, watch.due) for each in well]


# Starting


def test_a_start_is_looked_at_every_millisecond_and_a_slow_one_less_often() -> None:
    starting = Starting(Probe(8080), began=100)
    assert starting.due == 100
    assert starting.answered(False, False, 100) is None and starting.due == 100.001
    assert starting.answered(False, False, 110) is None and starting.due == 110.02
    assert starting.answered(False, False, 330) is None and starting.due == 330.25
    assert starting.answered(True, True, 330.25) == Verdict(True, 1)


def test_what_listens_and_is_not_well_yet_is_asked_ten_times_a_second() -> None:
    starting = Starting(Probe(8080, "/", timeout=1, period=10, failure_threshold=3), began=0)
    assert starting.answered(True, False, 3) is None and starting.due == 3.1
    quick = Starting(Probe(8080, "/", timeout=1, period=0.05, failure_threshold=300), began=0)
    assert quick.answered(True, False, 3) is None and quick.due == 3.05


def test_attempts_are_counted_as_the_platform_counts_them_one_in_a_period() -> None:
    starting = Starting(Probe(8080, initial_delay=5, timeout=1, period=10, failure_threshold=3), began=0)
    assert starting.due == 5
    assert [starting.attempts(at) for at in (5, 14.9, 15, 34.9, 35)] == [1, 1, 2, 3, 3]
    assert starting.answered(True, True, 16) == Verdict(True, 2)


def test_a_start_whose_time_is_over_has_failed_all_its_attempts() -> None:
    starting = Starting(Probe(8080, timeout=1, period=10, failure_threshold=3), began=0)
    assert starting.answered(False, False, 29.95) is None
    assert starting.due == 30, "never later than the end"
    assert starting.answered(False, False, 30) == Verdict(False, 3)


def test_no_answer_may_take_longer_than_the_start_itself() -> None:
    starting = Starting(Probe(8080, timeout=4, period=10, failure_threshold=1), began=0)
    assert [starting.patience(at) for at in (0, 9, 11)] == [4, 1, 0]


# Watching


def test_the_first_question_comes_at_once_or_after_the_delay_then_one_in_each_period() -> None:
    watch = Watch(ALIVE, began=0, now=3)
    assert watch.due == 3
    watch.answered(True, 3.5)
    assert watch.due == 13
    assert Watch(Probe(8080, "/", initial_delay=60, period=10), began=0, now=3).due == 60


def test_an_answer_that_took_longer_than_a_period_delays_the_next_question() -> None:
    watch = Watch(ALIVE, began=0, now=0)
    watch.answered(True, 25)
    assert watch.due == 25


def test_so_many_bad_answers_in_a_row_are_a_verdict() -> None:
    watch = Watch(ALIVE, began=0, now=0)
    assert answers(watch, True, False, False, True) == [Verdict(True, 1), None, None, None]
    assert answers(watch, False, False, False, False) == [None, None, Verdict(False, 3), None]


def test_what_was_not_ready_must_answer_well_twice() -> None:
    watch = Watch(READY, began=0, now=0)
    assert answers(watch, True, True) == [None, Verdict(True, 2)]
    assert answers(watch, False, False) == [None, Verdict(False, 2)]
    assert answers(watch, True, False, True, True) == [None, None, None, Verdict(True, 2)]


def test_what_is_known_from_before_is_no_news_and_keeps_its_rhythm() -> None:
    watch = Watch(ALIVE, began=2, now=1005, well=True)
    assert watch.due == 1012
    assert answers(watch, True, False, False, False) == [None, None, None, Verdict(False, 3)]
    assert Watch(READY, began=0, now=15, well=False).due == 15
    assert "due at 15" in repr(Watch(READY, began=0, now=15, well=False))


@given(st.lists(st.booleans(), max_size=60))
def test_verdicts_alternate_and_each_is_earned(given: list[bool]) -> None:
    watch = Watch(READY, began=0, now=0)
    told = [(at, verdict) for at, verdict in enumerate(answers(watch, *given)) if verdict]
    for (_, before), (_, after) in pairwise(told):
        assert before.well is not after.well
    for at, verdict in told:
        assert given[at - 1 : at + 1] == [verdict.well] * 2
