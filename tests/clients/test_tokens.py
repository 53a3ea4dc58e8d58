"""Google's Python clients and an API that wants a token."""

from __future__ import annotations

import time

import grpc
import pytest
from google.api_core.exceptions import Forbidden, PermissionDenied, Unauthenticated
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import run_v2
from google.oauth2.credentials import Credentials as Bearer

from homerun.model.identity import OWNER
from tests.clients.conftest import Server
from tests.support.api import LOCATION
from tests.support.identity import ROBOT, issuer

pytestmark = pytest.mark.sockets


def token(email: str = OWNER, age: float = 0) -> str:
    return issuer().access_token(email, time.time() - age).text


def rest(server: Server, credentials: Credentials) -> run_v2.ServicesClient:
    return run_v2.ServicesClient(transport="rest", credentials=credentials, client_options={"api_endpoint": server.url})


def test_over_rest_it_is_that_of_the_credentials(guarded: Server) -> None:
    assert list(rest(guarded, Bearer(token())).list_services(parent=LOCATION)) == []
    for bad in (AnonymousCredentials(), Bearer("ya29.somebody-elses"), Bearer(token(age=4000))):
        # google-auth takes the 401 for a token that can be renewed, and finds no way to do it.
        with pytest.raises(GoogleAuthError):
            rest(guarded, bad).list_services(parent=LOCATION)
    with pytest.raises(Forbidden, match=r"run\.services\.list"):
        rest(guarded, Bearer(token(ROBOT))).list_services(parent=LOCATION)


def test_over_grpc_it_is_in_the_metadata(guarded: Server) -> None:
    with grpc.insecure_channel(guarded.address) as channel:
        transport = run_v2.ServicesClient.get_transport_class("grpc")(channel=channel)
        services = run_v2.ServicesClient(transport=transport)

        def listed(*metadata: tuple[str, str]) -> object:
            return list(services.list_services(parent=LOCATION, metadata=metadata))

        assert listed(("authorization", f"Bearer {token()}")) == []
        for bad in ([], [("authorization", "Bearer x")], [("authorization", f"Bearer {token(age=4000)}")]):
            with pytest.raises(Unauthenticated, match="print-access-token"):
                listed(*bad)
        with pytest.raises(PermissionDenied):
            listed(("authorization", f"Bearer {token(ROBOT)}"))


def test_on_loopback_one_of_ours_that_has_expired_is_refused(server: Server) -> None:
    with pytest.raises(GoogleAuthError):
        rest(server, Bearer(token(age=4000))).list_services(parent=LOCATION)
    assert list(rest(server, Bearer("ya29.somebody-elses")).list_services(parent=LOCATION)) == []
