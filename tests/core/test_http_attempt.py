"""What is sent after which answer, and what the last one means."""

from __future__ import annotations

import pytest

from homerun.core.egress import Reach
from homerun.core.http_attempt import (
    CODES,
    REDIRECTS,
    HttpAttempt,
    Outcome,
    Place,
    authority,
    origin_of,
    outcome_of,
    request_target,
)
from homerun.model.schedule import HttpRequest

PLACES = {"run.googleapis.com": Place.API, "a.run.localhost": Place.ROUTER, "b.run.localhost": Place.ROUTER}
HEADERS = (("Content-Type", "text/plain"), ("X-A", "b"))


def attempt(url: str = "https://a.test/x", method: str = "POST") -> HttpAttempt:
    request = HttpRequest(method, url, HEADERS, b"body")
    return HttpAttempt(request, lambda scheme, host, port: PLACES.get(host, Place.OUTSIDE))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, "OK"), (204, "OK"), (299, "OK"), (304, "UNKNOWN"), (400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"), (404, "NOT_FOUND"), (409, "ABORTED"), (418, "FAILED_PRECONDITION"),
        (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (502, "INTERNAL"), (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, code: str) -> None:
    outcome = outcome_of(status)
    assert (CODES[outcome.code], outcome.http, outcome.ok) == (code, status, code == "OK")
    assert outcome.ok or outcome.message == f"the target answered with HTTP status {status}"


def test_a_redirect_is_followed_and_the_last_answer_counts() -> None:
    a = attempt()
    assert a.answered(302, "/y") is None
    assert a.step.request == HttpRequest("GET", "https://a.test/y", (("X-A", "b"),))
    assert a.step.authorized
    assert a.answered(404) == outcome_of(404)


@pytest.mark.parametrize("status", [307, 308])
def test_some_redirects_keep_method_and_body(status: int) -> None:
    a = attempt()
    a.answered(status, "https://a.test/y")
    assert a.step.request == HttpRequest("POST", "https://a.test/y", HEADERS, b"body")


def test_a_head_stays_a_head() -> None:
    a = attempt(method="HEAD")
    a.answered(301, "/y")
    assert a.step.request.method == "HEAD"


@pytest.mark.parametrize("location", ["https://b.test/", "http://a.test/x", "https://a.test:8443/x"])
def test_elsewhere_the_token_is_not_shown(location: str) -> None:
    a = attempt()
    a.answered(307, location)
    assert not a.step.authorized
    a.answered(307, "https://a.test/x")
    assert not a.step.authorized


def test_a_service_is_the_same_with_and_without_tls() -> None:
    a = attempt("http://a.run.localhost:8080/x")
    a.answered(307, "https://a.run.localhost:8443/x")
    assert a.step.authorized
    a.answered(307, "https://b.run.localhost:8443/x")
    assert not a.step.authorized


def test_a_redirect_without_a_location_is_an_answer() -> None:
    assert attempt().answered(302) == outcome_of(302)


def test_who_redirects_for_ever_is_given_up() -> None:
    a = attempt()
    for _ in range(REDIRECTS):
        assert a.answered(302, "/x") is None
    outcome = a.answered(302, "/x")
    assert outcome is not None and "more than 10 times" in outcome.message


@pytest.mark.parametrize("location", ["ftp://a.test/", "file:///etc/passwd", "http://[::1"])
def test_only_http_is_followed(location: str) -> None:
    outcome = attempt().answered(302, location)
    assert outcome is not None and not outcome.ok and "no http or https URL" in outcome.message


def test_redirects_lead_no_deeper_than_where_they_come_from() -> None:
    a = attempt()
    assert a.step.reach is Reach.MACHINE
    a.answered(302, "http://b.test/", Reach.NETWORK)
    assert a.step.reach is Reach.NETWORK
    a.answered(302, "http://c.test/", Reach.PUBLIC)
    a.answered(302, "http://d.test/", Reach.MACHINE)
    assert a.step.reach is Reach.PUBLIC


@pytest.mark.parametrize(
    ("start", "location", "followed"),
    [
        ("https://a.test/", "https://a.run.localhost/", False),
        ("https://a.test/", "https://run.googleapis.com/", False),
        ("https://a.run.localhost/", "https://run.googleapis.com/", False),
        ("https://a.run.localhost/", "https://b.run.localhost/", True),
        ("https://a.run.localhost/", "https://a.test/", True),
    ],
)
def test_nobody_from_outside_leads_to_what_is_homeruns_own(start: str, location: str, followed: bool) -> None:
    outcome = attempt(start).answered(302, location)
    if followed:
        assert outcome is None
    else:
        assert isinstance(outcome, Outcome) and "not followed" in outcome.message


def test_urls_in_pieces() -> None:
    assert request_target("https://a.test") == "/"
    assert request_target("https://a.test/ä b?x=ü#part") == "/%C3%A4%20b?x=%C3%BC"
    assert request_target("https://a.test/a%20b?x=%3D") == "/a%20b?x=%3D"
    assert authority("https://A.test:443/") == "a.test"
    assert authority("http://a.test:443/") == "a.test:443"
    assert authority("http://[::1]:80/") == "[::1]"
    assert origin_of("https://bücher.test/") == ("https", "xn--bcher-kva.test", 443)
