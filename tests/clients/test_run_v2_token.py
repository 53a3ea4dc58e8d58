"""Google's clients where a token is needed, set up as docs/clients.md says."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.api_core.exceptions import Unauthenticated
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import InvalidOperation
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from tests.clients.conftest import Server
from tests.support.api import LOCATION

pytestmark = pytest.mark.sockets


def over_rest(guarded: Server, credentials: Any) -> run_v2.ServicesClient:
    options = {"api_endpoint": guarded.url}
    return run_v2.ServicesClient(transport="rest", credentials=credentials, client_options=options)


def test_over_rest_it_is_the_credentials(guarded: Server) -> None:
    with pytest.raises(InvalidOperation):  # it hears the 401, and tries to get itself a new token
        list(over_rest(guarded, AnonymousCredentials()).list_services(parent=LOCATION))
    services = over_rest(guarded, Credentials(guarded.token("ann@example.com")))
    assert list(services.list_services(parent=LOCATION)) == []


def test_over_grpc_it_goes_with_each_call(guarded: Server) -> None:
    with grpc.insecure_channel(guarded.address) as channel:
        services = run_v2.ServicesClient(transport=run_v2.ServicesClient.get_transport_class("grpc")(channel=channel))
        with pytest.raises(Unauthenticated, match="needs an access token") as caught:
            list(services.list_services(parent=LOCATION))
        assert caught.value.reason == "UNAUTHENTICATED"
        metadata = [("authorization", f"Bearer {guarded.token('ann@example.com')}")]
        assert list(services.list_services(parent=LOCATION, metadata=metadata)) == []
