"""Where services answer."""

import pytest

from homerun.model.names import Name
from homerun.model.urls import Addresses, is_loopback, tag_url

HELLO = Name("homerun", "us-central1", ("services", "hello"))


def test_a_service_answers_under_its_name_number_and_region() -> None:
    url = Addresses("run.localhost", 8080).service(HELLO, "100000000001")
    assert url == "http://hello-100000000001.us-central1.run.localhost:8080"


def test_the_usual_port_is_left_out() -> None:
    assert Addresses("run.localhost", 80).service(HELLO, "1").endswith(".localhost")
    assert Addresses("run.example", 443, "https").service(HELLO, "1") == "https://hello-1.us-central1.run.example"


def test_a_tag_goes_in_front() -> None:
    assert tag_url("http://hello-1.r.run.localhost:8080", "green") == "http://green---hello-1.r.run.localhost:8080"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "[::1]", "::1"])
def test_only_this_machine_reaches_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "[::]", "box.example", "localhost.example.com", ""])
def test_others_reach_the_rest(host: str) -> None:
    assert not is_loopback(host)
