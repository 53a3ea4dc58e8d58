"""The set-up that docs/clients.md shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.sockets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
FOUND = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
BLOCKS = [block for block in FOUND if "print(" in block]
"""Those that are whole programs; the others continue one, and are tested in test_run_v2_token.py."""


def test_there_is_one_for_each_transport() -> None:
    assert len(BLOCKS) == 5


@pytest.mark.parametrize("block", BLOCKS, ids=["grpc", "rest", "asyncio", "secrets", "discovery"])
def test_the_code_on_the_page_runs(block: str, server: Server) -> None:
    code = block.replace("127.0.0.1:8787", server.address)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
