"""The exports for gcloud."""

import pytest

from homerun.model.environment import IAM_ENDPOINT, gcloud_environment


def test_every_endpoint_is_under_a_name_that_the_proxy_answers_for() -> None:
    environment = gcloud_environment("127.0.0.1", 8787, "homerun", "us-central1")
    overrides = [value for key, value in environment.items() if "ENDPOINT_OVERRIDES" in key and key != IAM_ENDPOINT]
    assert "http://run.homerun.localhost:8787/" in overrides
    assert all(value.endswith(".homerun.localhost:8787/") for value in overrides)
    assert environment["CLOUDSDK_PROXY_PORT"] == "8787"
    assert environment["CLOUDSDK_AUTH_ACCESS_TOKEN"] == "none-needed"
    assert environment[IAM_ENDPOINT] == "http://127.0.0.1:8787/"


def test_where_a_token_is_needed_gcloud_is_not_kept_from_sending_one() -> None:
    environment = gcloud_environment("10.0.0.1", 8787, "homerun", "us-central1", token_needed=True)
    assert not [key for key in environment if key.startswith("CLOUDSDK_AUTH_")]


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_a_daemon_that_listens_everywhere_is_reached_on_loopback(host: str) -> None:
    assert gcloud_environment(host, 1, "p", "r")["CLOUDSDK_PROXY_ADDRESS"] == "127.0.0.1"
