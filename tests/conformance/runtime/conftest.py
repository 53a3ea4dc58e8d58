"""Real containers, looked at from the inside and from beside them, with each OCI runtime."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homerun.engine.base import Exit, Image
from tests.engine.oci.conftest import Rig

RUNTIMES = ("crun", "runc")


class Lab:
    """An engine for many tests, in a loop of its own: the tests themselves are no coroutines."""

    def __init__(self, folder: Path, runtime: str) -> None:
        self.folder = folder
        self.runtime = runtime
        self.rig = Rig(folder, runtime)
        self._runner = asyncio.Runner()
        self._runner.run(self.rig.open())

    def close(self) -> None:
        self._runner.run(self.rig.close())
        self._runner.close()

    def pull(self, *layers: Any, **settings: Any) -> Image:
        return self._runner.run(self.rig.pull(*layers, **settings))

    def start(self, *args: str, **how: Any) -> str:
        return self._runner.run(self.rig.start(*args, **how))

    def exit(self, id: str) -> Exit:
        return self._runner.run(self.rig.exit(id))

    def output(self, id: str) -> dict[str, str]:
        """What the program printed, by the name in front of each tab."""
        lines = self._runner.run(self.rig.output(id))
        return dict(line.partition("\t")[::2] for line in lines)

    def run(self, *args: str, **how: Any) -> dict[str, str]:
        id = self.start(*args, **how)
        self.exit(id)
        return self.output(id)


@pytest.fixture(scope="module", params=RUNTIMES)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: containers are not tried with it")
    lab = Lab(tmp_path_factory.mktemp(request.param), request.param)
    yield lab
    lab.close()
