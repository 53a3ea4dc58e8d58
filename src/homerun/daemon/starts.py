"""What a process leaves behind about its start, in the folder `run` of the state: that it came up, or why it did not.

Files, because whoever has just died cannot be asked, and `up` must not be in the way of what its children print.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path

from homerun.lib.disk import is_full
from homerun.lib.errors import HomerunError

DEBUG = "HOMERUN_DEBUG"
_END = "\n\n"
"""Of the reason, in a file with more."""


def begin(state: Path, role: str) -> None:
    """It is about to be started: what was said of the one before is void."""
    for path in (_ready(state, role), details(state, role)):
        path.unlink(missing_ok=True)


def came_up(state: Path, role: str) -> None:
    """Said by the process itself. A link, which takes no room: also on a full disk whoever is up is up."""
    _ready(state, role).unlink(missing_ok=True)
    _ready(state, role).symlink_to(str(os.getpid()))


def is_up(state: Path, role: str, pid: int) -> bool:
    try:
        return os.readlink(_ready(state, role)) == str(pid)
    except OSError:
        return False


def failed(state: Path, role: str, error: BaseException) -> str:
    """Said by the process itself: keeps the reason, with all that is known about it. Returns the reason."""
    reason = explain(error)
    with contextlib.suppress(OSError):
        said = f"{reason}{_END}{''.join(traceback.format_exception(error))}"
        details(state, role).write_text(said)
    return reason


def reason(state: Path, role: str, code: int) -> str:
    """Why it has ended, as far as that is known."""
    try:
        return details(state, role).read_text().partition(_END)[0]
    except OSError:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"it ended with {how} and left no word; what it printed last is above"


def details(state: Path, role: str) -> Path:
    """Where the rest is, for whoever wants to know where it happened."""
    return state / "run" / f"{role}.failure"


def explain(error: BaseException) -> str:
    """What was wrong, and what would be right."""
    if isinstance(error, HomerunError):
        return error.message
    if isinstance(error, ModuleNotFoundError) and lacks_package(error):
        return (
            f"the Python package that provides {error.name!r} is missing: run scripts/setup, or pip install "
            "homerun once more"
        )
    if isinstance(error, OSError) and is_full(error):
        return "the disk of the state folder is full: free some space on it"
    if isinstance(error, MemoryError):
        return "there is no memory left: free some, or give the machine more"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def lacks_package(error: BaseException) -> bool:
    """Not one of our own files: that would be a bug, and nothing that somebody could install."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "homerun").partition(".")[0] != "homerun"


def _ready(state: Path, role: str) -> Path:
    return state / "run" / f"{role}.ready"
