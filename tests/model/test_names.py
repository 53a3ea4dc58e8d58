import pytest

from homerun.lib.errors import Invalid
from homerun.model.names import Name, check_id, last, parent

REVISION = "projects/p/locations/r/services/s/revisions/v"


def test_a_name_knows_its_parts() -> None:
    name = Name.parse(REVISION)
    assert (name.project, name.location, name.id, name.kind) == ("p", "r", "v", "Revision")
    assert str(name) == REVISION
    assert str(name.parent) == "projects/p/locations/r/services/s"
    assert str(name.parent.child("revisions", "w")) == "projects/p/locations/r/services/s/revisions/w"


@pytest.mark.parametrize(
    "text", ["", "projects/p", "projects/p/locations/r/services", "a/p/locations/r", "projects//locations/r"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not of the form"):
        Name.parse(text)


def test_the_end_and_the_rest() -> None:
    assert last(REVISION) == "v"
    assert parent(REVISION) == "projects/p/locations/r/services/s"


@pytest.mark.parametrize("id", ["a", "hello-2", "a" * 49])
def test_good_ids(id: str) -> None:
    assert check_id(id, "serviceId") is None


@pytest.mark.parametrize("id", ["", "Hello", "2x", "a-", "a_b", "a" * 50])
def test_bad_ids_are_explained(id: str) -> None:
    assert "serviceId must begin with a letter" in (check_id(id, "serviceId") or "")
