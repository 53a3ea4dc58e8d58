"""Five thousand requests that always are the same, and five thousand that never are: nothing may come of either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sockets
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("seed", ["--seed=1", ""], ids=["the same", "random"])
def test_no_request_breaks_anything(seed: str) -> None:
    """In a process of its own: its hash seed is fixed, and what hangs can be killed."""
    command = [sys.executable, "-m", "tests.fuzz", "--requests=5000", *filter(None, [seed])]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
