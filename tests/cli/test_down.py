from homerun.cli.errors import Unreachable
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

SHUTDOWN, INFO = "/homerun/v1:shutdown", "/homerun/v1/info"
GONE = Unreachable("h", "connection refused")


def test_down_waits_until_nobody_answers(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", SHUTDOWN, {})
    api.on("GET", INFO, {}, {}, GONE)
    result = homerun("down")
    assert result.exit_code == 0
    assert len([a for a in api.asked if a.path == INFO]) == 3


def test_down_without_a_homerun_is_no_error(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", SHUTDOWN, GONE)
    result = homerun("down", "--api", "h:1")
    assert (result.exit_code, result.stderr) == (0, "homerun is not running at h:1.\n")


def test_down_does_not_wait_for_ever(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", SHUTDOWN, {})
    api.on("GET", INFO, {})
    result = homerun("down")
    assert result.exit_code == 1
    assert "still answers" in result.stderr
