"""What is going on right now, on stderr: one line that rewrites itself on a terminal, plain lines anywhere else.

Results go to stdout, so that `URL=$(homerun deploy …)` gets the URL and the person still sees the stages.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

import click

from homerun.cli.errors import Interrupted
from homerun.cli.output import duration
from homerun.lib.clock import Clock, SystemClock

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_EVERY = 2.0
"""Seconds between two plain lines about one stage."""


class Progress:
    """`stage` begins something new, `update` says how far it is, leaving the `with` ends it, well or badly."""

    def __init__(self, stream: TextIO | None = None, clock: Clock | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock or SystemClock()
        self.live = self._stream.isatty()
        """Lines can be written again."""
        self._stage = ""
        self._shown = ""
        self._began = self._said = self._clock.mono()
        self._frame = 0
        self._below = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end("✓", "green")
        elif isinstance(error, (KeyboardInterrupt, Interrupted)):
            self._clear()
        else:
            self._end("✗", "red")

    def stage(self, name: str) -> None:
        """Begin `name`; what was going on before it is done. The same stage again changes nothing."""
        if name == self._stage:
            self.update("")
            return
        self._end("✓", "green")
        self._stage, self._shown = name, ""
        self._began = self._said = self._clock.mono()
        if self.live:
            self._draw("")
        else:
            self._write(f"{name} …\n")

    def update(self, text: str, below: Sequence[str] = ()) -> None:
        """How far the stage is. Call it a few times a second. `below`: lines under it, on a terminal only."""
        if self.live:
            self._draw(text, below)
            return
        now = self._clock.mono()
        if text and text != self._shown and now - self._said >= PLAIN_EVERY:
            self._shown, self._said = text, now
            self._write(f"  {text}\n")

    def line(self, text: str) -> None:
        """A line that stays, above the stage."""
        self._clear()
        self._write(text + "\n")

    def _end(self, sign: str, colour: str) -> None:
        if not self._stage:
            return
        self._clear()
        took = duration(self._clock.mono() - self._began)
        self._write(f"{click.style(sign, fg=colour)} {self._stage} {click.style(took, dim=True)}\n")
        self._stage = ""

    def _draw(self, text: str, below: Sequence[str] = ()) -> None:
        self._frame = (self._frame + 1) % len(FRAMES)
        seconds = duration(self._clock.mono() - self._began)
        columns = shutil.get_terminal_size().columns
        room = max(columns - len(self._stage) - 5, 0)
        detail = _cut(text, room) if text else click.style(seconds, dim=True)
        self._clear()
        self._write(f"{click.style(FRAMES[self._frame], fg='cyan')} {self._stage}  {detail}")
        for line in below:
            self._write("\n" + click.style(_cut(f"  {line}", columns - 1), dim=True))
        self._below = len(below)

    def _clear(self) -> None:
        """The line of the stage, and those below it."""
        if self.live:
            self._write("\r\033[K" + "\033[A\033[K" * self._below)
            self._below = 0

    def _write(self, text: str) -> None:
        click.echo(text, file=self._stream, nl=False)
        self._stream.flush()


def _cut(text: str, room: int) -> str:
    """Colours take no room; one that is cut loses them."""
    plain = click.unstyle(text)
    return text if len(plain) <= room else plain[:room]
