"""Why a container failed, in words that name the cause (contract §1.11, §1.12, and what users ask for in §15 row 5)."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from homerun.engine.base import Exited, LogLine
from homerun.model import names
from homerun.model.container import Containers

SHOWN_LINES = 10
_SHOWN_WIDTH = 500
"""Characters of a line: it may be as long as 256 KiB, and messages go to places where they are shown whole."""
_DOCUMENTED = (
    "The user-provided container failed to start and listen on the port defined provided by the PORT={port} "
    "environment variable within the allocated timeout."
)


def exit_text(ended: Exited, containers: Containers | None) -> str:
    """`Container called exit(3).` or which signal ended it; with its name where there are several.

    `containers` None: nobody knows any more what it was an instance of.
    """
    exit, which = ended.exit, "Container"
    if containers is None or len(containers) > 1:
        which = f'Container "{ended.container}"' if ended.container else which
    if exit.oom:
        limit = f" of {containers.named(ended.container).memory >> 20} MiB" if containers else ""
        what = f"the c{which[1:]} was terminated"
        return f"Memory limit{limit} exceeded: {what}. Raise it with --memory, or use less."
    if exit.signal is not None:
        return f"{which} terminated on signal {exit.signal} ({signal_name(exit.signal)})."
    if exit.code is not None:
        return f"{which} called exit({exit.code})."
    return f"{which} ended and nobody saw how: the machine or its monitor went down."


def not_ready(revision: str) -> str:
    """What nobody can have of the revision of this name."""
    purpose = "run" if "/workerPools/" in revision else "serve traffic"
    return f"Revision '{names.last(revision)}' is not ready and cannot {purpose}."


def start_failure(port: int, cause: str, lines: Sequence[LogLine]) -> str:
    """What a deployment says whose instance did not become ready; `cause` is what was found."""
    return " ".join([_DOCUMENTED.format(port=port), cause, log_tail(lines)]).strip()


def log_tail(lines: Sequence[LogLine]) -> str:
    shown = [line.text.rstrip()[:_SHOWN_WIDTH] for line in lines[-SHOWN_LINES:]]
    return f"Its last log lines:\n{chr(10).join(shown)}" if shown else "It wrote no log lines."


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
