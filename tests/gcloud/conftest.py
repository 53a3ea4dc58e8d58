"""One server and one gcloud for a module. The engine is a fake: real containers are in tests/e2e."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.gcloud import Gcloud, connected
from tests.support.server import Server

V1 = {"services": "serving.knative.dev", "jobs": "run.googleapis.com"}
Stored = Callable[[str], tuple[Any, Any]]
"""From `services/S` or `jobs/J` to the object as v1 shows it, and as v2 does."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("homerun")) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that believes not to listen on loopback."""
    with Server(tmp_path_factory.mktemp("guarded"), host="192.0.2.7") as server:
        yield server


@pytest.fixture(scope="module")
def gcloud(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Gcloud:
    return connected(server, tmp_path_factory.mktemp("gcloud"))


@pytest.fixture(scope="module")
def stored(server: Server) -> Stored:
    def both(name: str) -> tuple[Any, Any]:
        v1 = f"/apis/{V1[name.partition('/')[0]]}/v1/namespaces/homerun/{name}"
        return server.get(v1), server.get(f"/v2/projects/homerun/locations/us-central1/{name}")

    return both
