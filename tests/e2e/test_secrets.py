"""Secrets in real containers: what is in a variable is nowhere on the disk, and what was destroyed is gone from it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import LOCATION, NUMBER, ApiError, Daemon

pytestmark = pytest.mark.host

SECRETS = "/v1/projects/homerun/secrets"
ACCOUNT = f"serviceAccount:{NUMBER}-compute@developer.gserviceaccount.com"
CANARY, NEXT = "canary-Zm9vYmFyYmF6", "nightingale-cXV1eA"


def add(daemon: Daemon, secret: str, payload: str) -> None:
    data = base64.b64encode(payload.encode()).decode()
    daemon.call("POST", f"{SECRETS}/{secret}:addVersion", {"payload": {"data": data}})


def create(daemon: Daemon, secret: str, payload: str) -> None:
    daemon.call("POST", f"{SECRETS}?secretId={secret}", {"replication": {"automatic": {}}})
    add(daemon, secret, payload)
    binding = {"role": "roles/secretmanager.secretAccessor", "members": [ACCOUNT]}
    daemon.call("POST", f"{SECRETS}/{secret}:setIamPolicy", {"policy": {"bindings": [binding]}})


def variable(name: str, secret: str) -> dict[str, Any]:
    return {"name": name, "valueSource": {"secretKeyRef": {"secret": secret, "version": "latest"}}}


def environment(daemon: Daemon, service: str) -> dict[str, str]:
    status, body = daemon.get(service, "/env")
    assert status == 200
    return dict(line.split("=", 1) for line in body.decode().splitlines())


def holders(folder: Path, *wanted: bytes) -> list[Path]:
    """Files in `folder` with one of these in them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 10
    return [path for path in files if any(text in content(path) for text in wanted)]


def content(path: Path) -> bytes:
    """Nothing, if it is gone by now: others work in that folder."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def sealed(daemon: Daemon) -> set[bytes]:
    return {path.read_bytes() for path in (daemon.state / "secrets").glob("*")}


def mounted(secret: str) -> dict[str, Any]:
    """A template with the latest version at /etc/secrets/key."""
    source = {"secret": secret, "items": [{"path": "key", "version": "latest", "mode": 0o400}]}
    mounts = [{"name": "v", "mountPath": "/etc/secrets"}]
    return {"volumes": [{"name": "v", "secret": source}], "container": {"volumeMounts": mounts}}


def file(daemon: Daemon, service: str) -> str:
    return daemon.get(service, "/cat?path=/etc/secrets/key")[1].decode()


def test_what_is_in_a_container_is_nowhere_else(daemon: Daemon, app: str) -> None:
    create(daemon, "db", CANARY)
    template = mounted("db")
    template["container"]["env"] = [variable("PASSWORD", "db")]
    daemon.deploy("vars", app, **template)
    assert (environment(daemon, "vars")["PASSWORD"], file(daemon, "vars")) == (CANARY, CANARY)
    plain = (CANARY.encode(), base64.b64encode(CANARY.encode()))
    assert holders(daemon.state, *plain) == [], "while an instance runs"
    assert not any(text in daemon.log.read_bytes() for text in plain)
    logged = daemon.call("POST", "/v2/entries:list", {"resourceNames": ["projects/homerun"]})
    for shown in (logged, daemon.explain("vars"), daemon.call("GET", f"/v2/{LOCATION}/services/vars/revisions")):
        assert CANARY not in json.dumps(shown)


def test_files_of_a_running_instance_follow_what_is_latest(daemon: Daemon, app: str) -> None:
    create(daemon, "moving", "one")
    daemon.deploy("moving", app, **mounted("moving"), scaling={"minInstanceCount": 1})
    [instance] = daemon.explain("moving")["instances"]
    assert file(daemon, "moving") == "one"
    add(daemon, "moving", "two")
    daemon.until(lambda: file(daemon, "moving") == "two", 5)
    # What changes while nobody watches is there when somebody does again.
    daemon.kill("control")
    add(daemon, "moving", "three")
    daemon.until(lambda: file(daemon, "moving") == "three")
    assert [each["id"] for each in daemon.explain("moving")["instances"]] == [instance["id"]]
    daemon.call("DELETE", f"/v2/{LOCATION}/services/moving")


def test_what_was_destroyed_is_gone_from_the_disk(daemon: Daemon) -> None:
    before = sealed(daemon)
    create(daemon, "short", NEXT)
    [added] = sealed(daemon) - before
    assert holders(daemon.state, added) != []
    daemon.call("POST", f"{SECRETS}/short/versions/1:destroy", {})
    assert sealed(daemon) == before
    assert holders(daemon.state, added, added[24:40], NEXT.encode()) == []


def test_secrets_outlive_everything_that_is_killed(daemon: Daemon, app: str) -> None:
    create(daemon, "kept", CANARY)
    daemon.deploy("kept", app, container={"env": [variable("PASSWORD", "kept")]})
    daemon.kill_all()
    # What a kill between payload and document leaves behind.
    (daemon.state / "secrets" / "nobodys").write_bytes(b"half a payload")
    daemon.start()
    add(daemon, "kept", NEXT)
    assert not (daemon.state / "secrets" / "nobodys").exists()
    daemon.wait_for_zero("kept")
    assert environment(daemon, "kept")["PASSWORD"] == NEXT


def test_with_the_wrong_key_it_does_not_start_and_says_so(daemon: Daemon) -> None:
    key = daemon.state / "secrets.key"
    create(daemon, "keyed", NEXT)
    daemon.stop()
    right, files = key.read_bytes(), sealed(daemon)
    key.write_bytes(base64.b64encode(bytes(32)) + b"\n")
    daemon.start()
    assert daemon.ended() != 0
    assert "secrets were sealed with a key" in daemon.log.read_text()
    assert sealed(daemon) == files
    # A new key in front of the right one: everything is sealed anew, and the right one can go.
    key.write_bytes(base64.b64encode(bytes(range(32))) + b"\n" + right)
    daemon.start()
    data = daemon.call("GET", f"{SECRETS}/keyed/versions/latest:access")["payload"]["data"]
    assert base64.b64decode(data).decode() == NEXT
    assert not sealed(daemon) & files


def test_who_may_not_read_it_is_not_deployed(daemon: Daemon, app: str) -> None:
    daemon.call("POST", f"{SECRETS}?secretId=private", {"replication": {"automatic": {}}})
    add(daemon, "private", CANARY)
    with pytest.raises(ApiError, match="homerun secrets add-iam-policy-binding private"):
        daemon.deploy("denied", app, container={"env": [variable("PASSWORD", "private")]})
