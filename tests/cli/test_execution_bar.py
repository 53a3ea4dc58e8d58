from typing import Any

import click

from homerun.cli.execution_bar import Rate, bar, counts, ended, notes, over, slowest


def progress(retried: int = 0, waiting: str = "", **states: int) -> dict[str, Any]:
    return {
        "counts": states,
        "retried": retried,
        "running": [{"index": 4, "attempt": 1, "seconds": 75.0}, {"index": 5, "attempt": 0, "seconds": 0.5}],
        "slowest": [{"index": 7, "attempt": 0, "seconds": 3.25}, {"index": 2, "attempt": 0, "seconds": 1.0}],
        "failures": [{"index": 3, "attempt": 0, "why": "exit code 1\nIts last lines"}],
        "waiting": waiting,
    }


def plain(width: int, **states: int) -> str:
    return click.unstyle(bar(progress(**states), width))


def test_a_bar_shows_what_is_done_what_runs_and_what_is_left() -> None:
    assert plain(10, Pending=10) == "░░░░░░░░░░"
    assert plain(10, Succeeded=5, Running=2, Pending=3) == "█████▓▓░░░"
    assert plain(10, Succeeded=8_000, Failed=1, Running=1_000, Pending=999) == "█████████▓"
    assert plain(10, Succeeded=10) == "██████████"


def test_one_task_of_many_is_seen() -> None:
    assert plain(10, Succeeded=1, Running=1, Pending=9998) == "█▓░░░░░░░░"


def test_the_line_says_only_what_there_is_to_say() -> None:
    assert counts(progress(Pending=2), None) == "0/2 done"
    told = counts(progress(Succeeded=14, Failed=1, Running=4, Pending=1, retried=2), 5.0)
    assert told == "14/20 done · 4 running · 1 failed · 2 retried · 5.0/s · 1.0 s left"


def test_below_are_failures_and_what_runs_long() -> None:
    assert notes(progress(waiting="Waiting.")) == [
        "Waiting.",
        "task 3 failed: exit code 1",
        "task 4, attempt 1, runs for 75.0 s",
    ]
    assert slowest(progress()["slowest"]) == "task 7 3.2 s, task 2 1.0 s"


def test_it_is_over_when_every_task_has_come_to_its_end() -> None:
    assert ended(progress(Succeeded=1, Abandoned=2, Running=1)) == 3
    assert over(progress(Succeeded=1, Cancelled=1))
    assert not over(progress(Succeeded=1, Pending=1))


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.observe(0, 0.0) is None
    assert rate.observe(50, 1.0) == 50
    for second in range(2, 30):
        last = rate.observe(50, float(second))
    assert last == 0
