from __future__ import annotations

import resource

from homerun.daemon.router import options, raise_open_files
from homerun.router.options import UNLIMITED, Options
from homerun.settings import Settings


def test_the_settings_are_the_routers_limits() -> None:
    given = options(Settings(request_limit=64, response_limit=32, max_connections=7, queue_limit=5), 1024)
    assert given == Options(
        request_limit=64 << 20, response_limit=32 << 20, max_connections=7, queue_limit=5, grace=Settings().grace
    )
    assert options(Settings(request_limit=0), 1024).request_limit == UNLIMITED


def test_by_itself_a_router_takes_as_many_clients_as_it_may_open_files() -> None:
    assert options(Settings(), 1024).max_connections < options(Settings(), 100_000).max_connections < 50_000


def test_a_router_may_open_all_the_files_that_it_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        assert raise_open_files() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
