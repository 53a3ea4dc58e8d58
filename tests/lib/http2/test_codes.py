from __future__ import annotations

from homerun.lib.http2 import codes


def test_codes_have_the_names_that_people_know() -> None:
    assert codes.name(8) == "CANCEL"
    assert codes.name(0xAAAA) == "error 43690"
