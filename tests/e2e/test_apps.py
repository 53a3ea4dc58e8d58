"""An application that nobody here wrote, unchanged, in each run: nginx. `scripts/apps` tries eleven more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps import nginx
from tests.apps.images import Images, Unavailable
from tests.apps.trial import Trial
from tests.support.daemon import Daemon
from tests.support.shell import have_image

pytestmark = [pytest.mark.host, pytest.mark.timeout(400)]

CACHE = Path(__file__).resolve().parent.parent.parent / ".cache" / "apps"


@pytest.fixture(scope="module")
def trial(daemon: Daemon) -> Trial:
    if not have_image():
        pytest.skip("nginx is built on the base image: scripts/base-image makes it")
    images = Images(CACHE)
    try:
        images.build("nginx")
    except Unavailable as why:
        pytest.skip(f"nginx cannot be had here: {why}")
    return Trial("nginx", daemon, images)


def test_nginx_does_what_it_does_elsewhere(trial: Trial) -> None:
    trial.deploy(port=80)
    nginx.basics(trial)
    with trial.check("from zero and back"):
        trial.wakes(times=1)
    assert trial.failed == []
