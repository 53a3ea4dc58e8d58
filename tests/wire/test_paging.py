"""Page tokens and sizes."""

import pytest

from homerun.lib.errors import Invalid
from homerun.model.limits import DEFAULT_PAGE, MAX_PAGE
from homerun.wire.paging import next_token, page


def test_a_token_leads_to_the_name_that_its_page_ended_with() -> None:
    assert page("list", "10", next_token("list", "projects/p/ünicode")).after == "projects/p/ünicode"


def test_a_token_says_nothing_to_who_reads_it_as_text() -> None:
    assert "projects" not in next_token("list", "projects/p")


@pytest.mark.parametrize("token", ["nonsense", "!!!", "", "AAAA"])
def test_what_is_no_token_is_refused(token: str) -> None:
    if not token:
        assert page("list", "", token).after == ""
        return
    with pytest.raises(Invalid) as caught:
        page("list", "", token)
    assert caught.value.violations[0].field == "pageToken"


def test_the_token_of_another_list_is_refused() -> None:
    with pytest.raises(Invalid, match="no token of this list"):
        page("services", "", next_token("jobs", "x"))


@pytest.mark.parametrize(
    ("sent", "size"), [("", DEFAULT_PAGE), ("0", DEFAULT_PAGE), ("7", 7), ("99999999", MAX_PAGE), ("1000", MAX_PAGE)]
)
def test_sizes_have_a_default_and_a_cap(sent: str, size: int) -> None:
    assert page("list", sent, "").size == size


@pytest.mark.parametrize("sent", ["-1", "ten", "1.5"])
def test_other_sizes_are_refused_under_the_name_that_the_caller_used(sent: str) -> None:
    with pytest.raises(Invalid) as caught:
        page("list", sent, "", size_field="limit")
    assert caught.value.violations[0].field == "limit"
