"""Google's clients against homerun's API on a real port, over both transports."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials

from tests.support.server import Server

Make = Callable[[Any], Any]
"""From one of Google's client classes, e.g. run_v2.ServicesClient, to a client that is connected."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("homerun")) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that believes not to listen on loopback."""
    with Server(tmp_path_factory.mktemp("guarded"), host="192.0.2.7") as server:
        yield server


@pytest.fixture(params=["rest", "grpc"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(transport: str, server: Server) -> Iterator[Make]:
    """Each test that uses it runs over both transports."""
    if transport == "rest":
        options = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": server.url}}
        yield lambda client: client(transport="rest", **options)
        return
    with grpc.insecure_channel(server.address) as channel:
        yield lambda client: client(transport=client.get_transport_class("grpc")(channel=channel))


_numbers = itertools.count(1)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """An id that no other test uses: they share a server."""
    return lambda name: f"{name}-{next(_numbers)}"
