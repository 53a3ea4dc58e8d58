"""How a command ends badly, as an exit code and the line that says why.

0 it worked · 1 it failed · 2 it was called wrongly (click's own) · 3 homerun is not reachable · 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO, Any

import click


class CommandFailed(click.ClickException):
    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{click.style('Error:', fg='red')} {self.format_message()}", file=file or sys.stderr)


class ApiError(CommandFailed):
    """homerun refused, in its own words. `status` is the name of a google.rpc.Code."""

    def __init__(self, message: str, http: int = 500, status: str = "", violations: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join([message, *(v for v in violations if v not in message)]))
        self.http, self.status = http, status

    @property
    def not_found(self) -> bool:
        return self.status == "NOT_FOUND"


class Unreachable(CommandFailed):
    exit_code = 3

    def __init__(self, address: str, why: str) -> None:
        super().__init__(
            f"homerun is not reachable at {address} ({why}): start it with `homerun up`, "
            "or name its address with --api or HOMERUN_API"
        )


class Interrupted(click.ClickException):
    """Ctrl-C: what goes on without us, and how to come back to it."""

    exit_code = 130

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"\n{self.format_message()}", file=file or sys.stderr)
