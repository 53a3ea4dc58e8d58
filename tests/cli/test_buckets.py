"""`homerun buckets`."""

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

URL = "/homerun/v1/buckets"


def test_create_prints_the_folder(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", f"{URL}/data", {"name": "data", "folder": "/state/buckets/data"})
    assert homerun("buckets", "create", "data").output == "/state/buckets/data\n"
    assert '"folder": "/state/buckets/data"' in homerun("buckets", "create", "data", "--format", "json").output


def test_list(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", URL, {"buckets": []}, {"buckets": [{"name": "data", "folder": "/state/buckets/data"}]})
    assert "There are no buckets: homerun buckets create NAME makes one." in homerun("buckets", "list").output
    assert homerun("buckets", "list").output.splitlines()[1].split() == ["data", "/state/buckets/data"]
    assert '"name": "data"' in homerun("buckets", "list", "--format", "json").output


def test_delete(homerun: Invoke, api: FakeApi) -> None:
    api.on("DELETE", f"{URL}/data", {})
    assert homerun("buckets", "delete", "data").output == "Deleted bucket data.\n"


def test_a_name_is_no_path(homerun: Invoke, api: FakeApi) -> None:
    result = homerun("buckets", "create", "../x")
    assert api.asked[0].path == f"{URL}/..%2Fx"
    assert result.exit_code == 1
