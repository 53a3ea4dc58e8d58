from __future__ import annotations

from homerun.router.options import Options, connections_for


def test_the_limits_are_those_of_the_contract() -> None:
    options = Options()
    assert options.request_limit == 32 * 1024 * 1024
    assert options.grace == 10


def test_each_client_may_need_two_files() -> None:
    assert connections_for(100) == 100
    assert 2 * connections_for(20_000) < 20_000 - 200 < 2.5 * connections_for(20_000)
