"""Project ids and numbers."""

import pytest

from homerun.lib.errors import Invalid
from homerun.model.project import Projects, check_project

PROJECTS = Projects("homerun", "100000000001")


def test_the_default_project_has_the_number_that_was_chosen() -> None:
    assert PROJECTS.number_of("homerun") == "100000000001"


def test_other_projects_have_a_number_that_never_changes() -> None:
    number = PROJECTS.number_of("my-project")
    assert number == PROJECTS.number_of("my-project") == "419519117448"
    assert number != PROJECTS.number_of("my-project2")


def test_a_number_is_its_own_number() -> None:
    assert PROJECTS.number_of("123456789012") == "123456789012"


@pytest.mark.parametrize("project", ["", "-x", "Upper", "1a", "a/b", "x" * 70, "-", "١٢"])
def test_what_can_be_no_project_is_refused(project: str) -> None:
    with pytest.raises(Invalid, match="neither a project id"):
        check_project(project)


@pytest.mark.parametrize("project", ["homerun", "example.com:app", "12345"])
def test_ids_and_numbers_are_projects(project: str) -> None:
    check_project(project)
