"""Buckets over the extension API."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from homerun.apis.failure import on_homerun_error
from homerun.apis.homerun.buckets import routes
from homerun.lib.errors import HomerunError
from homerun.store.bucket_folders import BucketFolders
from tests.support.asgi import call

BUCKETS = "/homerun/v1/buckets"


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    handlers: Any = {HomerunError: on_homerun_error}
    return Starlette(routes=list(routes(BucketFolders(tmp_path / "buckets"))), exception_handlers=handlers)


async def ask(app: Starlette, method: str, path: str) -> tuple[int, Any]:
    answer = await call(app, method, path)
    return answer.status, answer.json()


async def test_they_are_made_listed_and_deleted(app: Starlette, tmp_path: Path) -> None:
    data = {"name": "data", "folder": str(tmp_path / "buckets/data")}
    assert await ask(app, "GET", BUCKETS) == (200, {"buckets": []})
    assert await ask(app, "POST", f"{BUCKETS}/data") == (200, data)
    assert await ask(app, "GET", BUCKETS) == (200, {"buckets": [data]})
    assert await ask(app, "DELETE", f"{BUCKETS}/data") == (200, {})
    assert await ask(app, "GET", BUCKETS) == (200, {"buckets": []})


@pytest.mark.parametrize("name", ["..", "%2e%2e", "UPPER", "a%2Fb", ".hidden", "a b", "a%00b"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_name_that_could_be_a_path_is_refused(app: Starlette, tmp_path: Path, method: str, name: str) -> None:
    status, _ = await ask(app, method, f"{BUCKETS}/{name}")
    assert status in (400, 404)
    assert list(tmp_path.iterdir()) == []


async def test_failures_have_googles_form(app: Starlette) -> None:
    status, answer = await ask(app, "DELETE", f"{BUCKETS}/nothing")
    assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")
