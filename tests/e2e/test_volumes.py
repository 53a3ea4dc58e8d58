"""Volumes of services and jobs on real containers: what they write, who sees it, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import ApiError, Daemon
from tests.support.images import app_layer, make_image

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def shared(folder: Path) -> Path:
    """A folder of the host that containers may be given."""
    (folder / "shared").mkdir()
    return folder / "shared"


@pytest.fixture(scope="module")
def daemon(folder: Path, shared: Path) -> Iterator[Daemon]:
    with Daemon(folder / "state", idle_timeout=300, allow_host_path=shared) as daemon:
        yield daemon
        daemon.stop()
        daemon.until(lambda: not loop_files(folder))


def bucket(daemon: Daemon, name: str) -> Path:
    return Path(daemon.call("POST", f"/homerun/v1/buckets/{name}")["folder"])


def mounted(*volumes: dict[str, Any]) -> dict[str, Any]:
    """A template with these, each at /NAME."""
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    return {"volumes": list(volumes), "container": {"volumeMounts": mounts}}


ALONE = {"maxInstanceCount": 1}
"""Who writes and who reads is the same instance, however slow the machine is."""


def loop_files(folder: Path) -> list[str]:
    """Files of a folder that are disks just now."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found.append(file.read_text())
        except OSError:
            continue
    return [name for name in found if name.startswith(str(folder))]


def test_a_service_with_a_volume_of_each_kind(daemon: Daemon, app: str, shared: Path) -> None:
    models = bucket(daemon, "models")
    (models / "model.bin").write_text("weights")
    (shared / "data").mkdir()
    volumes = (
        {"name": "memory", "emptyDir": {"medium": "MEMORY", "sizeLimit": "4Mi"}},
        {"name": "disk", "emptyDir": {"medium": "DISK", "sizeLimit": "64Mi"}},
        {"name": "models", "gcs": {"bucket": "models", "readOnly": True}},
        {"name": "host", "gcs": {"bucket": f"host:{shared}/data"}},
    )
    daemon.deploy("kinds", app, **mounted(*volumes), scaling=ALONE)
    assert daemon.get("kinds", "/cat?path=/models/model.bin") == (200, b"weights")
    for path, outcome in {
        "/memory/note": b"written\n",
        "/disk/note": b"written\n",
        "/host/note": b"written\n",
        "/models/note": b"Read-only file system\n",
    }.items():
        assert daemon.get("kinds", f"/write?path={path}&text=hello") == (200, outcome)
    assert (shared / "data/note").read_text() == "hello"
    assert daemon.get("kinds", "/cat?path=/disk/note") == (200, b"hello")
    assert loop_files(daemon.state)


def test_what_belongs_to_an_instance_goes_with_it_and_what_does_not_stays(daemon: Daemon, app: str) -> None:
    data = bucket(daemon, "kept")
    volumes = (
        {"name": "disk", "emptyDir": {"medium": "DISK", "sizeLimit": "64Mi"}},
        {"name": "bucket", "gcs": {"bucket": "kept"}},
    )
    daemon.deploy("ends", app, **mounted(*volumes), scaling=ALONE)
    for path in ("/disk/note", "/bucket/note"):
        assert daemon.get("ends", f"/write?path={path}&text=hello") == (200, b"written\n")
    daemon.kill_all()
    daemon.start()
    assert daemon.get("ends", "/cat?path=/disk/note") == (200, b"hello"), "control's end is not the instance's"
    [instance] = daemon.explain("ends")["instances"]
    daemon.get("ends", "/exit?code=1")
    daemon.until(lambda: instance["id"] not in {each["id"] for each in daemon.explain("ends")["instances"]})
    assert daemon.get("ends", "/cat?path=/disk/note") == (200, b""), "there is no such file"
    assert daemon.get("ends", "/cat?path=/bucket/note") == (200, b"hello")
    assert (data / "note").read_text() == "hello"


def test_a_job_leaves_its_results_in_a_bucket_whoever_its_user_is(daemon: Daemon, folder: Path) -> None:
    results = bucket(daemon, "results")
    archive = make_image(folder / "writer.tar", [app_layer()], entrypoint=["/app"], user="1234:5678")
    volume = {"name": "out", "gcs": {"bucket": "results", "mountOptions": ["only-dir=today"]}}
    (results / "today").mkdir()
    template = mounted(volume)
    template["container"]["args"] = ["write", "/out/part", "1"]
    daemon.create_job("writes", f"oci-archive:{archive}", **template)
    assert daemon.execute("writes")["succeededCount"] == 1
    written = (results / "today/part").stat()
    assert (written.st_size, written.st_uid, written.st_gid) == (1 << 20, 1234, 5678)


@pytest.mark.parametrize(
    ("bucket", "why"),
    [
        ("nothing", "there is no bucket nothing: homerun buckets create nothing"),
        ("host:/etc", "containers may not see /etc; start homerun with --allow-host-path /etc if they may"),
    ],
)
def test_a_deployment_that_mounts_what_it_may_not_says_why(daemon: Daemon, app: str, bucket: str, why: str) -> None:
    name = f"refused-{bucket.partition(':')[0]}"
    with pytest.raises(ApiError) as refused:
        daemon.deploy(name, app, **mounted({"name": "v", "gcs": {"bucket": bucket}}))
    assert why in str(refused.value)
