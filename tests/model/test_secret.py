"""Names of secrets, and which version a name means."""

import pytest

from homerun.lib.errors import FailedPrecondition, Invalid, NotFound
from homerun.model.secret import SecretName, SecretRef, check_readable, expired, parent_of, version_number

SECRET = SecretName("p", "", "db")


@pytest.mark.parametrize(
    "text",
    [
        "projects/p/secrets/db",
        "projects/p/secrets/db/versions/latest",
        "projects/p/locations/r/secrets/db",
        "projects/p/locations/r/secrets/db/versions/7",
    ],
)
def test_a_name_is_what_it_was_parsed_from(text: str) -> None:
    assert str(SecretName.parse(text)) == text


@pytest.mark.parametrize("text", ["db", "projects/p/secrets/", "projects/p/secrets/a.b", "projects/p/services/s"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(Invalid, match="projects/P/secrets/S"):
        SecretName.parse(text)


def test_parts_of_a_name() -> None:
    version = SECRET.at(3)
    assert (SECRET.kind, version.kind, version.secret) == ("Secret", "SecretVersion", SECRET)
    assert str(version.of("42")) == "projects/42/secrets/db/versions/3"
    assert (parent_of("p", ""), parent_of("p", "r")) == ("projects/p", "projects/p/locations/r")


def test_a_template_names_secrets_of_its_own_project_by_their_id() -> None:
    assert str(SecretRef("db").name("p")) == "projects/p/secrets/db/versions/latest"
    assert str(SecretRef("db", "").name("p")) == "projects/p/secrets/db/versions/latest"
    assert str(SecretRef("projects/q/secrets/db", "2").name("p")) == "projects/q/secrets/db/versions/2"


@pytest.mark.parametrize(("version", "number"), [("latest", 4), ("1", 1), ("4", 4), ("prod", 2)])
def test_a_version_by_number_alias_or_latest(version: str, number: int) -> None:
    assert version_number(SECRET.at(version), {"versionAliases": {"prod": "2"}}, 4) == number


@pytest.mark.parametrize("version", ["0", "5", "-1", "1.0", "next", "00001"])
def test_versions_that_there_are_not(version: str) -> None:
    with pytest.raises(NotFound, match=rf"Secret Version \[projects/p/secrets/db/versions/{version}\] not found\."):
        version_number(SECRET.at(version), {}, 4)


def test_of_none_there_is_no_latest() -> None:
    with pytest.raises(NotFound, match=r"Secret \[projects/p/secrets/db\] not found or has no versions\."):
        version_number(SECRET.at("latest"), {}, 0)


def test_only_what_is_enabled_can_be_read() -> None:
    check_readable(SECRET.at(1), {"state": "ENABLED"})
    with pytest.raises(FailedPrecondition, match=r"\[projects/p/secrets/db/versions/1\] is in DISABLED state\."):
        check_readable(SECRET.at(1), {"state": "DISABLED"})


def test_its_time_is_over_when_it_says_so() -> None:
    body = {"expireTime": "2026-01-01T00:00:00.000000Z"}
    assert not expired({}, "2026-01-01T00:00:00.000000Z")
    assert not expired(body, "2025-12-31T23:59:59.999999Z")
    assert expired(body, "2026-01-01T00:00:00.000000Z")
