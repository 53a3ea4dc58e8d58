"""Google's clients where a token is needed, set up as docs/clients.md says."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.api_core.exceptions import Forbidden, Unauthenticated
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import InvalidOperation, RefreshError
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from tests.support.api import LOCATION
from tests.support.identity import ROBOT
from tests.support.server import Server

pytestmark = pytest.mark.sockets


def over_rest(guarded: Server, credentials: Any) -> run_v2.ServicesClient:
    options = {"api_endpoint": guarded.url}
    return run_v2.ServicesClient(transport="rest", credentials=credentials, client_options=options)


def test_over_rest_it_is_the_credentials(guarded: Server) -> None:
    with pytest.raises(InvalidOperation):  # it hears the 401, and tries to get itself a new token
        list(over_rest(guarded, AnonymousCredentials()).list_services(parent=LOCATION))
    services = over_rest(guarded, Credentials(guarded.token()))
    assert list(services.list_services(parent=LOCATION)) == []
    for bad in ("ya29.somebody-elses", guarded.token(age=4000)):
        with pytest.raises(RefreshError):
            list(over_rest(guarded, Credentials(bad)).list_services(parent=LOCATION))


def test_whose_token_it_is_says_what_it_opens(guarded: Server) -> None:
    robot = over_rest(guarded, Credentials(guarded.token(ROBOT)))
    with pytest.raises(Forbidden, match=r"run\.services\.list"):
        robot.list_services(parent=LOCATION)


def test_on_loopback_one_of_ours_that_has_expired_is_refused_and_those_of_others_are_ignored(server: Server) -> None:
    with pytest.raises(RefreshError):
        over_rest(server, Credentials(server.token(age=4000))).list_services(parent=LOCATION)
    assert list(over_rest(server, Credentials("ya29.somebody-elses")).list_services(parent=LOCATION)) == []


def test_over_grpc_it_goes_with_each_call(guarded: Server) -> None:
    with grpc.insecure_channel(guarded.address) as channel:
        services = run_v2.ServicesClient(transport=run_v2.ServicesClient.get_transport_class("grpc")(channel=channel))
        with pytest.raises(Unauthenticated, match="needs an access token") as caught:
            list(services.list_services(parent=LOCATION))
        assert caught.value.reason == "UNAUTHENTICATED"
        expired = [("authorization", f"Bearer {guarded.token(age=4000)}")]
        with pytest.raises(Unauthenticated, match="it has expired"):
            list(services.list_services(parent=LOCATION, metadata=expired))
        metadata = [("authorization", f"Bearer {guarded.token()}")]
        assert list(services.list_services(parent=LOCATION, metadata=metadata)) == []
