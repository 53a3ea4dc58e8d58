"""A homerun with something of everything on it: services, a job, a worker pool, secrets, volumes, a bucket."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.support.calamity import Disk, WallClock
from tests.support.daemon import LOCATION, NUMBER, Daemon
from tests.support.images import compile_file, make_image

SERVICES = ("alone", "shared", "pair", "rare")
SECRETS = "/v1/projects/homerun/secrets"
PAYLOAD = "nightingale"
TASKS = 10
_PROBE = {"tcpSocket": {"port": 9000}, "periodSeconds": 1, "failureThreshold": 60}


class Town:
    """`folder`: for everything; its disk is small. As a context manager, running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boot_id = folder / "boot_id"
        self.clock = WallClock(folder / "clock")
        self.disk = Disk(folder / "state")
        # Control may take its time to come back where others are at work as well: who needs an instance waits for it.
        self.daemon = Daemon(folder / "state", routers=2, idle_timeout=3, max_tasks=4, grace=5, queue_wait=30)
        self.daemon.environment = self.clock.environment
        self.state = folder / "state"
        self.notes = self.state / "buckets/notes"

    def __enter__(self) -> Town:
        self.disk.__enter__()
        self.daemon.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.daemon.process is not None:
                self.daemon.stop()
        finally:
            self.disk.__exit__()

    def build(self) -> None:
        daemon, image = self.daemon, self._image()
        self._secret()
        daemon.call("POST", "/homerun/v1/buckets/notes")
        daemon.deploy("alone", image, maxInstanceRequestConcurrency=1, **_with(_env(LIMIT="1")))
        secret = {"secret": "key", "items": [{"path": "key", "version": "latest"}]}
        reference = {"name": "SECRET", "valueSource": {"secretKeyRef": {"secret": "key", "version": "latest"}}}
        inside = {"volumeMounts": [{"name": "s", "mountPath": "/secrets"}]}
        env = [*_env(LIMIT="4", EXPECT=PAYLOAD), reference]
        volumes = [{"name": "s", "secret": secret}]
        daemon.deploy("shared", image, maxInstanceRequestConcurrency=4, volumes=volumes, **_with(env, **inside))
        daemon.deploy("rare", image, maxInstanceRequestConcurrency=2, **_with(_env(LIMIT="2")))
        daemon.deploy("pair", image, maxInstanceRequestConcurrency=2, **_pair(image))
        bucket = {"name": "n", "gcs": {"bucket": "notes"}}
        mounts = [{"name": "n", "mountPath": "/notes"}]
        container = {"args": ["task"], "volumeMounts": mounts}
        daemon.create_job("work", image, TASKS, 3, container=container, volumes=[bucket], maxRetries=6)
        daemon.deploy_pool("rows", image, 2, args=["rows"])

    def _image(self) -> str:
        binary = compile_file(Path(__file__).with_name("actor.c")).read_bytes()
        layer = {"/actor": binary, "/tmp": None}
        return f"oci-archive:{make_image(self.folder / 'actor.tar', [layer], entrypoint=['/actor'])}"

    def _secret(self) -> None:
        call, data = self.daemon.call, base64.b64encode(PAYLOAD.encode()).decode()
        call("POST", f"{SECRETS}?secretId=key", {"replication": {"automatic": {}}})
        call("POST", f"{SECRETS}/key:addVersion", {"payload": {"data": data}})
        account = f"serviceAccount:{NUMBER}-compute@developer.gserviceaccount.com"
        binding = {"role": "roles/secretmanager.secretAccessor", "members": [account]}
        call("POST", f"{SECRETS}/key:setIamPolicy", {"policy": {"bindings": [binding]}})

    def empty(self) -> None:
        """Delete all of it but the bucket."""
        daemon = self.daemon
        for name in SERVICES:
            daemon.wait(daemon.call("DELETE", f"/v2/{LOCATION}/services/{name}"))
        daemon.wait(daemon.call("DELETE", f"/v2/{LOCATION}/workerPools/rows"))
        daemon.wait(daemon.call("DELETE", f"/v2/{LOCATION}/jobs/work"))


def _env(**values: str) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _with(env: list[dict[str, Any]], **container: Any) -> dict[str, Any]:
    return {"container": {"args": ["serve"], "env": env, "resources": {"limits": {"memory": "128Mi"}}, **container}}


def _pair(image: str) -> dict[str, Any]:
    """Two containers, that share a volume on disk."""
    volumes = [{"name": "d", "emptyDir": {"medium": "DISK", "sizeLimit": "8Mi"}}]
    common = {"image": image, "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    small = {"resources": {"limits": {"memory": "128Mi"}}}
    side = {"name": "side", "args": ["serve", "9000"], "startupProbe": _PROBE, **common, **small}
    web = {"name": "web", "args": ["serve"], "ports": [{}], "dependsOn": ["side"], "env": _env(LIMIT="2"), **common}
    return {"containers": [side, {**web, **small}], "volumes": volumes}
