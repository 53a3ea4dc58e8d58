"""Real containers through the real daemon: one daemon for a module, on a state folder of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.images import app_layer, make_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homerun")


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Daemon]:
    with Daemon(folder / "state", idle_timeout=2) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def app(folder: Path) -> str:
    """The test program as a web service."""
    return f"oci-archive:{make_image(folder / 'app.tar', [app_layer()], cmd=['/app', 'serve'])}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What fails says what its daemons wrote."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            if isinstance(value, Daemon) and value.log.exists():
                report.sections.append((f"log of {name}", value.log.read_text()[-5000:]))
    return report
