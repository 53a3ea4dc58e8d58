"""Real containers, looked at from the inside and from beside them, with each OCI runtime."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from homerun.engine.base import Exit, Image
from tests.engine.oci.conftest import Rig
from tests.support.daemon import Daemon
from tests.support.images import app_layer, make_image

RUNTIMES = ("crun", "runc")
SERVICE = "conformance"
PASSWD = b"root:x:0:0::/root:/bin/sh\nann:x:1001:1002::/home/ann:/bin/sh\n"


class Lab:
    """An engine for many tests, in a loop of its own: the tests themselves are no coroutines."""

    def __init__(self, folder: Path, runtime: str) -> None:
        self.folder = folder
        self.runtime = runtime
        self.rig = Rig(folder, runtime)
        self._runner = asyncio.Runner()
        self._runner.run(self.rig.open())

    def close(self) -> None:
        self._runner.run(self.rig.close())
        self._runner.close()

    def pull(self, *layers: Any, **settings: Any) -> Image:
        return self._runner.run(self.rig.pull(*layers, **settings))

    def start(self, *args: str, **how: Any) -> str:
        return self._runner.run(self.rig.start(*args, **how))

    def exit(self, id: str) -> Exit:
        return self._runner.run(self.rig.exit(id))

    def output(self, id: str) -> dict[str, str]:
        """What the program printed, by the name in front of each tab."""
        lines = self._runner.run(self.rig.output(id))
        return dict(line.partition("\t")[::2] for line in lines)

    def run(self, *args: str, **how: Any) -> dict[str, str]:
        id = self.start(*args, **how)
        self.exit(id)
        return self.output(id)


@pytest.fixture(scope="module", params=RUNTIMES)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: containers are not tried with it")
    lab = Lab(tmp_path_factory.mktemp(request.param), request.param)
    yield lab
    lab.close()


class Platform:
    """A homerun whose containers run with one of the runtimes, and a service on it that tells what it sees."""

    def __init__(self, folder: Path, runtime: str) -> None:
        self.runtime = runtime
        self.daemon = Daemon(folder / "state", runtime=runtime)
        archive = make_image(
            folder / "image.tar",
            [{**app_layer(), "/srv": None, "/etc/passwd": PASSWD}],
            entrypoint=["/app"],
            cmd=["serve"],
            env=["FROM_IMAGE=yes", "OVERRIDDEN=by the image"],
            working_dir="/srv",
        )
        self.image = f"oci-archive:{archive}"

    def open(self) -> None:
        self.daemon.start()
        env = [{"name": "OVERRIDDEN", "value": "by the user"}, {"name": "PLAIN", "value": "$(FROM_IMAGE)"}]
        self.daemon.deploy(SERVICE, self.image, container={"env": env})

    def ask(self, path: str, **headers: str) -> str:
        """What the container answers."""
        status, body = self.daemon.get(SERVICE, path, **headers)
        assert status == 200, body
        return body.decode()

    def environment(self) -> dict[str, str]:
        return pairs(self.ask("/env"))

    def headers(self, **sent: str) -> dict[str, str]:
        """As the container gets them, names in lower case."""
        lines = self.ask("/headers", **sent).split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def run_job(self, name: str, *args: str, **template: Any) -> list[str]:
        """What its one task prints."""
        self.daemon.create_job(name, self.image, container={"args": list(args)}, **template)
        self.daemon.execute(name)
        return self.log(f"resource.type = cloud_run_job AND resource.labels.job_name = {name}")

    def log(self, wanted: str) -> list[str]:
        query = {
            "resourceNames": ["projects/homerun"],
            "filter": f"{wanted} AND log_id(run.googleapis.com/stdout)",
            "orderBy": "timestamp asc",
            "pageSize": 1000,
        }
        entries: list[dict[str, Any]] = []
        self.daemon.until(
            lambda: entries.extend(self.daemon.call("POST", "/v2/entries:list", query).get("entries", [])) or entries
        )
        return [entry.get("textPayload", "") for entry in entries]


def pairs(text: str) -> dict[str, str]:
    """Lines of NAME=VALUE."""
    return dict(line.partition("=")[::2] for line in text.splitlines())


@pytest.fixture(scope="session")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Platform]]:
    """One for each runtime, made when it is first asked for."""
    made: dict[str, Platform] = {}
    with ExitStack() as stack:

        def platform(runtime: str) -> Platform:
            if runtime not in made:
                made[runtime] = Platform(tmp_path_factory.mktemp(f"platform-{runtime}"), runtime)
                stack.callback(made[runtime].daemon.stop)
                made[runtime].open()
            return made[runtime]

        yield platform


@pytest.fixture
def one_platform(platforms: Callable[[str], Platform]) -> Platform:
    """For what the runtime has no part in."""
    return platforms(next(filter(shutil.which, RUNTIMES)))


@pytest.fixture(params=RUNTIMES)
def platform(request: pytest.FixtureRequest, platforms: Callable[[str], Platform]) -> Platform:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: containers are not tried with it")
    return platforms(request.param)
