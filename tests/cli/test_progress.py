import io

import click
import pytest

from homerun.cli.errors import CommandFailed, Interrupted
from homerun.cli.progress import PLAIN_EVERY, Progress


class Clock:
    seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def mono(self) -> float:
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_without_a_terminal_each_stage_is_a_line_when_it_begins_and_when_it_ends() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock) as progress:
        progress.stage("Building")
        clock.seconds = 3
        progress.stage("Starting")
        progress.stage("Starting")
    assert lines(stream) == ["Building …", "✓ Building 3.0 s", "Starting …", "✓ Starting 0 ms"]


def test_without_a_terminal_updates_are_rare_and_never_repeated() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock) as progress:
        progress.stage("Running")
        for _ in range(20):
            clock.seconds += PLAIN_EVERY / 4
            progress.update(f"{int(clock.seconds / 4)} done")
    assert [line for line in lines(stream) if "done" in line] == ["  0 done", "  1 done", "  2 done"]


def test_on_a_terminal_one_line_rewrites_itself_and_what_stays_stays_above() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock) as progress:
        progress.stage("Running")
        progress.update("1/2 done")
        progress.line("log line")
        progress.update("x" * 500)
    shown = stream.getvalue().split("\r\033[K")
    assert any("Running  1/2 done" in part for part in shown)
    assert "log line\n" in shown
    assert max(len(part) for part in shown) < 120


def test_lines_below_are_taken_back_with_the_line_of_the_stage() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock) as progress:
        progress.stage("Running")
        progress.update("1/2 done", ["task 1 runs long", "y" * 500])
        progress.update("2/2 done")
    assert "\n" + click.style("  task 1 runs long", dim=True) in stream.getvalue()
    assert stream.getvalue().count("\r\033[K\033[A\033[K\033[A\033[K") == 1


@pytest.mark.parametrize(
    "error,sign", [(CommandFailed("no"), "✗ Running"), (Interrupted("bye"), ""), (KeyboardInterrupt(), "")]
)
def test_how_it_ends_is_shown(error: BaseException, sign: str) -> None:
    stream = io.StringIO()
    with pytest.raises(type(error)), Progress(stream, Clock()) as progress:
        progress.stage("Running")
        raise error
    assert lines(stream)[1:] == ([f"{sign} 0 ms"] if sign else [])


def test_nothing_begun_is_nothing_said() -> None:
    stream = io.StringIO()
    with Progress(stream, Clock()):
        pass
    assert stream.getvalue() == ""
