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
    """`environment`: the exports. `folder`: for gcloud's own configuration and logs. `group`: what all commands begin
    with; `track`: alpha, beta or neither."""

    def __init__(
        self, environment: Mapping[str, str], folder: Path, group: tuple[str, ...] = ("run",), track: str = ""
    ) -> None:
        self._environment = {**os.environ, **environment, "CLOUDSDK_CONFIG": str(folder), "NO_COLOR": "1"}
        self._folder, self._group, self._track = folder, group, track

    def group(self, *words: str, track: str = "") -> Gcloud:
        """The same with other first words."""
        return Gcloud(self._environment, self._folder, words, track)

    def run(self, *arguments: str, track: str = "") -> Ran:
        track = track or self._track
        command = ["gcloud", *([track] if track else []), *self._group, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)
        return Ran(done.returncode, _STYLE.sub("", done.stdout), _STYLE.sub("", done.stderr))

    def __call__(self, *arguments: str, track: str = "") -> str:
        """What it prints on both streams. Fails the test with gcloud's own words."""
        return self._succeeded(*arguments, track=track).printed

    def out(self, *arguments: str) -> str:
        """Standard output alone, of a command that must succeed."""
        return self._succeeded(*arguments).out

    def json(self, *arguments: str) -> Any:
        return json.loads(self.out(*arguments, "--format=json"))

    def refused(self, *arguments: str, code: int = 1) -> str:
        """What a command prints that must fail, with this exit code: 2 is gcloud's own for flags that it refuses."""
        ran = self.run(*arguments)
        assert ran.code == code, f"exit code {ran.code}, not {code}: {ran.printed}"
        return ran.printed

    def _succeeded(self, *arguments: str, track: str = "") -> Ran:
        ran = self.run(*arguments, track=track)
        assert ran.code == 0, ran.printed
        return ran


def connected(server: Server, folder: Path) -> Gcloud:
    """With the certificate that gcloud's gRPC commands need as well."""
    certificate = folder / "homerun.pem"
    certificate.write_bytes(server.certificate.public)
    exports = server.get("/homerun/v1/info")["environment"]
    return Gcloud({**exports, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(certificate)}, folder)
