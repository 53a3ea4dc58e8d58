"""Unmodified gcloud as a function: told by nothing but the exports of `homerun env` where to go."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server

_MISSING = "gcloud is not installed (it is no package of a registry)"
needed = pytest.mark.skipif(not shutil.which("gcloud"), reason=_MISSING)
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def printed(self) -> str:
        return self.out + self.err


class Gcloud:
    """`environment`: the exports. `folder`: for gcloud's own configuration and logs."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = {**os.environ, **environment, "CLOUDSDK_CONFIG": str(folder), "NO_COLOR": "1"}

    def run(self, *arguments: str) -> Ran:
        done = subprocess.run(
            ["gcloud", *arguments], env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )
        return Ran(done.returncode, _STYLE.sub("", done.stdout), _STYLE.sub("", done.stderr))

    def __call__(self, *arguments: str, track: str = "") -> str:
        """What `gcloud run …` prints on both streams. Fails the test with gcloud's own words. `track`: e.g. beta."""
        ran = self.run(*([track] if track else []), "run", *arguments)
        assert ran.code == 0, ran.printed
        return ran.printed

    def out(self, *arguments: str) -> str:
        """Standard output alone, of a command that must succeed."""
        ran = self.run("run", *arguments)
        assert ran.code == 0, ran.printed
        return ran.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self.out(*arguments, "--format=json"))

    def refused(self, *arguments: str, code: int = 1) -> str:
        """What a command prints that must fail, with this exit code: 2 is gcloud's own for flags that it refuses."""
        ran = self.run("run", *arguments)
        assert ran.code == code, f"exit code {ran.code}, not {code}: {ran.printed}"
        return ran.printed


def connected(server: Server, folder: Path) -> Gcloud:
    return Gcloud(server.get("/homerun/v1/info")["environment"], folder)
