"""The descriptions are those that Google publishes."""

from homerun.wire.discovery import description


def test_methods_have_their_paths_and_bodies() -> None:
    create = description("run.v2").methods["run.projects.locations.services.create"]
    assert (create.verb, create.path) == ("POST", "v2/projects/{projectsId}/locations/{locationsId}/services")
    assert create.request == "GoogleCloudRunV2Service"
    assert description("run.v2").methods["run.projects.locations.services.get"].request == ""


def test_both_versions_are_there() -> None:
    assert "Service" in description("run.v1").schemas
    assert "GoogleCloudRunV2Service" in description("run.v2").schemas
