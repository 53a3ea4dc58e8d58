"""What bad images and bad requests get: a message that names the cause, the old revision untouched, nothing left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import LOCATION, ApiError, Daemon
from tests.support.host import census
from tests.support.images import app_layer, make_image

pytestmark = pytest.mark.host

QUICK = {"startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 2}}


def image(folder: Path, name: str, *cmd: str, **options: Any) -> str:
    return f"oci-archive:{make_image(folder / f'{name}.tar', [app_layer()], cmd=list(cmd), **options)}"


@pytest.fixture
def old(daemon: Daemon, app: str) -> str:
    """A service that works, whose revision must keep working."""
    daemon.deploy("victim", app)
    try:
        yield "victim"  # type: ignore[misc]
    finally:
        daemon.wait(daemon.call("DELETE", f"/v2/{LOCATION}/services/victim"))


def refused(daemon: Daemon, image: str, **container: Any) -> str:
    """Update the working service to something bad: what the deployment says."""
    template = {"containers": [{"image": image, **container}]}
    with pytest.raises(ApiError) as error:
        daemon.wait(daemon.call("PATCH", f"/v2/{LOCATION}/services/victim", {"template": template}))
    return str(error.value.error["message"])


@pytest.mark.parametrize(
    ("what", "cmd", "container", "causes"),
    [
        ("exits at once", ("/app", "exit", "5", "no database"), {}, ["exit(5)", "no database", "PORT=8080"]),
        ("listens on the wrong port", ("/app", "serve", "3000"), QUICK, ["3000", "PORT=8080"]),
        ("listens on 127.0.0.1 only", ("/app", "serve", "8080", "127.0.0.1"), QUICK, ["127.0.0.1:8080", "0.0.0.0"]),
        ("listens on nothing", ("/app", "sleep", "600"), QUICK, ["PORT=8080"]),
        ("needs more memory than its limit", ("/app", "eat", "700"), {}, ["Memory limit of 512 MiB exceeded"]),
        ("has no such command", ("/nope",), {}, ["/nope"]),
    ],
)
def test_a_container_that(
    daemon: Daemon, folder: Path, old: str, what: str, cmd: tuple[str, ...], container: Any, causes: list[str]
) -> None:
    message = refused(daemon, image(folder, what.replace(" ", "-"), *cmd), **container)
    for cause in causes:
        assert cause in message
    assert "is not ready and cannot serve traffic" in message
    assert daemon.get(old)[0] == 200


def test_an_unknown_image(daemon: Daemon, old: str) -> None:
    assert "/no/such/archive.tar" in refused(daemon, "oci-archive:/no/such/archive.tar")
    assert daemon.get(old)[0] == 200


def test_an_image_for_another_architecture(daemon: Daemon, folder: Path, old: str) -> None:
    message = refused(daemon, image(folder, "arm", "/app", "serve", arch="arm64"))
    assert "arm64" in message and "amd64" in message
    assert daemon.get(old)[0] == 200


@pytest.mark.alone
def test_failed_deployments_leave_nothing_behind(daemon: Daemon, folder: Path, app: str) -> None:
    bad = [
        (image(folder, "leak-exit", "/app", "exit", "5"), {}),
        (image(folder, "leak-port", "/app", "serve", "3000"), QUICK),
        (image(folder, "leak-none", "/nope"), {}),
    ]

    def round() -> None:
        for number, (reference, container) in enumerate(bad):
            with pytest.raises(ApiError):
                daemon.deploy(f"leak-{number}", reference, container=container)
            daemon.wait(daemon.call("DELETE", f"/v2/{LOCATION}/services/leak-{number}"))
        daemon.until(lambda: census()["instances' processes"] == before["instances' processes"])

    before = census()
    # The first round fills pools that stay.
    round()
    before = settled_census()
    for _ in range(3):
        round()
    assert settled_census() == before


def settled_census() -> dict[str, int]:
    """The kernel takes namespaces and cgroups down in the background."""
    counted = census()
    for _ in range(50):
        time.sleep(0.1)
        again = census()
        if again == counted:
            return again
        counted = again
    return counted


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"template": {"containers": [{"image": "x", "imagee": "y"}]}}, "template.containers[0].imagee"),
        ({"template": {"containers": [{"image": 7}]}}, "template.containers[0].image"),
        ({"template": {"containers": [{"image": "x"}], "timeout": "soon"}}, "template.timeout"),
        ({"template": {"containers": []}}, "template.containers"),
    ],
)
def test_a_malformed_request_names_the_field(daemon: Daemon, body: Any, field: str) -> None:
    with pytest.raises(ApiError) as error:
        daemon.call("POST", f"/v2/{LOCATION}/services?serviceId=malformed", body)
    assert error.value.status == 400
    violations = [v for d in error.value.error["details"] for v in d.get("fieldViolations", [])]
    assert field in [v["field"] for v in violations]


def test_a_name_out_of_the_rules(daemon: Daemon, app: str) -> None:
    with pytest.raises(ApiError) as error:
        daemon.call(
            "POST", f"/v2/{LOCATION}/services?serviceId=Bad_Name", {"template": {"containers": [{"image": app}]}}
        )
    assert error.value.status == 400
