"""Verbs that are the daemon's: this process becomes it, because the command line may not import it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def become(verb: str, arguments: Sequence[str]) -> NoReturn:
    """-P: the daemon runs as root, so no module may come from whatever folder one happens to stand in."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "homerun.daemon", verb, *arguments])
