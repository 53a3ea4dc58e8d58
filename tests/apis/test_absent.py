"""What is not there says what to do instead."""

import pytest

from homerun.apis.absent import WHY, why
from homerun.wire.discovery import description


@pytest.mark.parametrize(
    ("method", "instead"),
    [
        ("run.projects.locations.builds.submit", "homerun deploy --source"),
        ("run.projects.locations.instances.start", "worker pool of one instance"),
        ("run.namespaces.instances.create", "worker pool of one instance"),
        ("run.projects.locations.exportImageMetadata", "skopeo"),
        ("run.something.else", "not implemented yet"),
    ],
)
def test_an_absent_method_has_a_reason(method: str, instead: str) -> None:
    assert instead in why(method)


def test_every_reason_is_that_of_a_published_method() -> None:
    apis = ("run.v1", "run.v2", "secretmanager.v1", "cloudscheduler.v1")
    published = [id for api in apis for id in description(api).methods]
    assert [prefix for prefix in WHY if not any(id.startswith(prefix) for id in published)] == []
