"""Every service is enabled."""

import pytest

from tests.support.api import api

pytestmark = pytest.mark.looptime


async def test_gcloud_hears_that_run_is_enabled() -> None:
    async with api() as a:
        answer = await a("GET", "/v1/projects/homerun/services/run.googleapis.com?alt=json")
        assert answer["name"] == "projects/100000000001/services/run.googleapis.com"
        assert answer["state"] == "ENABLED"
        listed = await a("GET", "/v1/projects/homerun/services")
        assert answer in listed["services"]


async def test_enabling_what_is_enabled_is_done_at_once() -> None:
    async with api() as a:
        assert (await a("POST", "/v1/projects/other/services/run.googleapis.com:enable", {}))["done"] is True
