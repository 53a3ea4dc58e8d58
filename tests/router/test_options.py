from __future__ import annotations

from homerun.router.options import Options


def test_the_limits_are_those_of_the_contract() -> None:
    options = Options()
    assert options.request_limit == 32 * 1024 * 1024
    assert options.grace == 10
