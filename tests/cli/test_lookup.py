import click
import pytest

from homerun.cli import lookup
from homerun.cli.errors import ApiError
from homerun.cli.session import Session
from tests.support.fake_api import FakeApi


def test_yes_means_yes() -> None:
    lookup.confirm("Sure?", yes=True)


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    def confirmed(question: str, abort: bool, err: bool) -> bool:
        if not answer:
            raise click.Abort
        return True

    monkeypatch.setattr(lookup.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(lookup.click, "confirm", confirmed)
    if answer:
        lookup.confirm("Sure?", yes=False)
    else:
        with pytest.raises(click.Abort):
            lookup.confirm("Sure?", yes=False)


def test_what_is_not_there_is_nothing_and_no_error(api: FakeApi) -> None:
    session = Session("h:1", "p", "r", "table")
    assert lookup.existing(session, "x/jobs/j") is None
    api.on("GET", "/v2/x/jobs/j", {"name": "x/jobs/j"})
    assert lookup.existing(session, "x/jobs/j") == {"name": "x/jobs/j"}
    api.on("GET", "/v2/x/jobs/j", ApiError("no", 403, "PERMISSION_DENIED"))
    with pytest.raises(ApiError):
        lookup.existing(session, "x/jobs/j")


def test_delete_waits_for_the_operation(api: FakeApi) -> None:
    api.on("DELETE", "/v2/x/jobs/j", {"name": "o/1"})
    api.on("POST", "/v2/o/1:wait", {"name": "o/1", "done": True})
    lookup.delete(Session("h:1", "p", "r", "table"), "x/jobs/j")
    assert len(api.asked) == 2
