"""Every project exists and has a number."""

import pytest

from tests.support.api import Refused, api

pytestmark = pytest.mark.looptime


async def test_a_project_tells_its_number_and_its_number_tells_the_project() -> None:
    async with api() as a:
        expected = {
            "projectId": "homerun",
            "projectNumber": "100000000001",
            "name": "homerun",
            "lifecycleState": "ACTIVE",
        }
        assert await a("GET", "/v1/projects/homerun?alt=json") == expected
        assert await a("GET", "/v1/projects/100000000001") == expected
        other = await a("GET", "/v1/projects/other")
        assert (await a("GET", "/v1/projects/other"))["projectNumber"] == other["projectNumber"]


async def test_what_can_be_no_project_is_refused() -> None:
    async with api() as a:
        with pytest.raises(Refused, match="neither a project id"):
            await a("GET", "/v1/projects/No_Project")
