"""From a folder with a Dockerfile to an image in the host's containers-storage, by buildah.

`--isolation chroot` needs no namespaces beyond a mount of its own, so that it works where containers cannot nest.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from homerun.engine.images.process import private, reap, run, spawn, which
from homerun.engine.images.reference import Reference
from homerun.lib.errors import FailedPrecondition, Invalid

_MOUNT = re.compile(r"^overlay (\S+)/overlay/([0-9a-f]{64})/merged ", re.MULTILINE)
DOCKERFILES = ("Containerfile", "Dockerfile")
TAIL = 15
"""Lines of the log that go into the message of a failed build."""


async def build(context: Path, tag: str, log: Callable[[str], None]) -> str:
    """Build `context` as `tag` (`localhost/NAME:TAG`), give every line to `log`, return the reference.

    Raises Invalid (no Dockerfile, malformed tag), FailedPrecondition (the build failed), EngineUnavailable.
    Cancelling kills the build.
    """
    reference = Reference.parse(tag)
    if reference.transport != "containers-storage":
        raise Invalid(f"Images are built into this host's storage, and {tag} is elsewhere. Name it localhost/NAME:TAG")
    dockerfile = _dockerfile(context)
    options = ["--isolation", "chroot", "--layers", "--force-rm", "--tag", f"{reference.name}:{reference.tag}"]
    process = await spawn(
        *private("buildah", "build", *options, "--file", str(dockerfile), str(context)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "BUILDAH_FORMAT": "oci"},
        start_new_session=True,
    )
    tail: deque[str] = deque(maxlen=TAIL)
    try:
        assert process.stdout is not None
        async for line in _lines(process.stdout):
            tail.append(line)
            log(line)
        code = await process.wait()
    except BaseException:
        await asyncio.shield(_abandon(process))
        raise
    await reap(process)
    if code:
        raise FailedPrecondition(_explain(code, list(tail)))
    return tag


async def _abandon(process: asyncio.subprocess.Process) -> None:
    """Kill the build, then remove its working container, which buildah leaves when it is killed.

    Nothing but its mount tells it from those of other builds, so that is looked up first.
    """
    mounts = set(_MOUNT.findall(_mounts(process.pid))) - set(_MOUNT.findall(_mounts("self")))
    await reap(process)
    for storage, layer in mounts:
        if containers := _containers(Path(storage), layer):
            await run([which("buildah"), "rm", *containers], env={}, timeout=60)


def _containers(storage: Path, layer: str) -> list[str]:
    """Ids of the working containers whose writable layer that is."""
    index = json.loads((storage / "overlay-containers/containers.json").read_bytes())
    return [entry["id"] for entry in index if entry.get("layer") == layer]


def _mounts(pid: int | str) -> str:
    try:
        return Path(f"/proc/{pid}/mounts").read_text()
    except OSError:  # it has ended already, and tidied up
        return ""


def _dockerfile(context: Path) -> Path:
    for name in DOCKERFILES:
        if (context / name).is_file():
            return context / name
    raise Invalid(
        "The source folder has no Dockerfile. Add one: "
        "FROM a base image, COPY the sources, CMD that listens on 0.0.0.0:$PORT"
    )


def _explain(code: int, tail: list[str]) -> str:
    log = "\n".join(f"  {line}" for line in tail)
    remedy = ""
    if any("localhost/homerun/python" in line and "FROM" not in line for line in tail):
        remedy = "\nThe base image localhost/homerun/python is made by scripts/base-image."
    return f"The build failed (buildah's exit code {code}). Its last lines:\n{log}{remedy}"


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length; a progress bar's carriage returns count as line ends."""
    rest = b""
    while chunk := await stream.read(65536):
        *lines, rest = (rest + chunk.replace(b"\r", b"\n")).split(b"\n")
        for line in lines:
            if line.strip():
                yield line.decode(errors="replace").rstrip()
    if rest.strip():
        yield rest.decode(errors="replace").rstrip()
