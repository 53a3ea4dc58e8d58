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


def test_with_tls_services_are_known_by_their_secure_address() -> None:
    assert Addresses.of_listeners("d", "127.0.0.1:8080") == Addresses("d", 8080)
    both = Addresses.of_listeners("d", "0.0.0.0:80", "[::]:443")
    assert both == Addresses("d", 443, "https", 80)
    assert both.of_host("a.d") == "https://a.d"


def test_a_host_is_reached_in_several_ways() -> None:
    both = Addresses("d", 8443, "https", 8080)
    assert both.everywhere("http://a.d:1") == ["http://a.d:1", "https://a.d:8443", "http://a.d:8080"]
    assert both.everywhere("https://a.d:8443") == ["https://a.d:8443", "http://a.d:8080"]
    assert Addresses("d", 8080).everywhere("http://a.d:8080") == ["http://a.d:8080"]


def test_a_stored_service_moves_with_the_listeners() -> None:
    stored = {
        "uri": "http://a.d:8080",
        "urls": ["http://a.d:8080"],
        "trafficStatuses": [{"percent": 100}, {"tag": "t", "uri": "http://t---a.d:8080"}],
    }
    assert Addresses("d", 8080).moved(stored) == {}
    assert Addresses("d", 8443, "https", 8080).moved(stored) == {
        "uri": "https://a.d:8443",
        "urls": ["https://a.d:8443"],
        "trafficStatuses": [{"percent": 100}, {"tag": "t", "uri": "https://t---a.d:8443"}],
    }
    assert Addresses("d", 1).moved({"uri": "", "urls": [], "defaultUriDisabled": True}) == {}
    assert Addresses("d", 1).moved({}) == {}


def test_a_tag_goes_in_front() -> None:
    assert tag_url("http://hello-1.r.run.localhost:8080", "green") == "http://green---hello-1.r.run.localhost:8080"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "[::1]", "::1"])
def test_only_this_machine_reaches_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "[::]", "box.example", "localhost.example.com", ""])
def test_others_reach_the_rest(host: str) -> None:
    assert not is_loopback(host)
