"""Whose URL is it?"""

from __future__ import annotations

import pytest

from homerun.core.destination import Destinations
from homerun.core.http_attempt import Place, origin_of

DESTINATIONS = Destinations("run.localhost", 8787, {"shop.example.com"}.__contains__)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://run.googleapis.com/v2/x:run", Place.API),
        ("https://us-central1-run.googleapis.com/apis/x", Place.API),
        ("https://cloudscheduler.googleapis.com/v1/x", Place.API),
        ("http://run.homerun.localhost:8787/", Place.API),
        ("http://127.0.0.1:8787/", Place.API),
        ("http://localhost:8787/", Place.API),
        ("http://[::1]:8787/", Place.API),
        ("http://hello-1.us-central1.run.localhost:8080/x", Place.ROUTER),
        ("https://TAG---hello-1.us-central1.RUN.localhost/", Place.ROUTER),
        ("https://shop.example.com/x", Place.ROUTER),
        ("https://storage.googleapis.com/x", Place.OUTSIDE),
        ("https://run.googleapis.com.example.com/", Place.OUTSIDE),
        ("https://evilrun.example.com/", Place.OUTSIDE),
        ("http://127.0.0.1:3000/", Place.OUTSIDE),
        ("http://mine.localhost:3000/", Place.OUTSIDE),
        ("https://example.com/", Place.OUTSIDE),
    ],
)
def test_where_a_request_goes(url: str, place: Place) -> None:
    assert DESTINATIONS.place(*origin_of(url)) is place
