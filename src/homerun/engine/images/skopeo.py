"""What we ask of skopeo: the manifest, the configuration, and the import into our own storage.

Its failures are sorted here, once, into those of the name (ImageNotFound), of the image (ImageUnusable) and of the
host (EngineUnavailable), each with what to do about it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from homerun.engine.base import EngineUnavailable, ImageForbidden, ImageNotFound, ImageUnusable
from homerun.engine.images.process import TimedOut, private, run
from homerun.engine.images.reference import Reference
from homerun.lib.errors import HomerunError

INSPECT_LIMIT = 60.0
COPY_LIMIT = 1800.0

_Row = tuple[str, type[HomerunError], str]

_ALWAYS: tuple[_Row, ...] = (
    (r"no space left|disk quota", EngineUnavailable, "Free some space on the disk of the state folder"),
    (
        r"unauthorized|authentication required|access to the resource is denied|invalid username",
        ImageForbidden,
        "If it exists, log in to its registry: skopeo login REGISTRY",
    ),
    (
        r"connection refused|no such host|i/o timeout|network is unreachable|no route to host|server misbehaving|"
        r"connection reset|TLS handshake|certificate|deadline exceeded",
        ImageNotFound,
        "Check the registry's name, and that this machine reaches it",
    ),
)
_LOOKING: tuple[_Row, ...] = (
    (r"manifest unknown|name unknown|not found|no descriptor found", ImageNotFound, "Check its name and tag"),
    (r"no such file|not a directory|is a directory", ImageNotFound, "Check the path"),
    (
        r"does not resolve to an image ID|identifier is not an image|does not exist|no such image",
        ImageNotFound,
        "`buildah images` lists what the host has; build it, or name a registry",
    ),
    (r"connect to the Docker daemon", ImageNotFound, "Start Docker, or push the image to a registry"),
    (r"choose an image|more than one image", ImageNotFound, "Say which one: add :TAG"),
)
"""These mean the name only while it is looked up: later, the same words come from what is inside the image."""


@dataclass(frozen=True, slots=True)
class Skopeo:
    """`storage` is the destination without a name: `containers-storage:[overlay@…]`. `scratch` is on the same disk."""

    storage: str
    scratch: Path
    architecture: str

    async def manifest(self, reference: Reference) -> bytes:
        return await self._inspect(reference, "--raw")

    async def config(self, reference: Reference) -> bytes:
        return await self._inspect(reference, "--raw", "--config")

    async def copy(
        self, reference: Reference, name: str, digest_file: Path, *, schema1: bool, pass_fds: Collection[int]
    ) -> None:
        tls = ["--src-tls-verify=false"] if reference.insecure else []
        formats = ["--format", "v2s2"] if schema1 else []
        options = ["--quiet", "--remove-signatures", "--digestfile", str(digest_file), *tls, *formats]
        await self._skopeo(
            reference, "copy", *options, reference.source, self.storage + name, limit=COPY_LIMIT, pass_fds=pass_fds
        )

    async def _inspect(self, reference: Reference, *options: str) -> bytes:
        tls = ["--tls-verify=false"] if reference.insecure else []
        return await self._skopeo(reference, "inspect", *options, *tls, reference.source, limit=INSPECT_LIMIT)

    async def _skopeo(
        self, reference: Reference, *arguments: str, limit: float, pass_fds: Collection[int] = ()
    ) -> bytes:
        await asyncio.to_thread(self.scratch.mkdir, parents=True, exist_ok=True)
        options = ["--tmpdir", str(self.scratch), "--override-os", "linux", "--override-arch", self.architecture]
        env = {"TMPDIR": str(self.scratch)}
        try:
            result = await run(private("skopeo", *options, *arguments), env=env, timeout=limit, pass_fds=pass_fds)
        except TimedOut:
            raise ImageNotFound(
                f"Image {reference.text} did not arrive within {limit:.0f} s. "
                "Check the registry's name, and that this machine reaches it"
            ) from None
        if not result.ok:
            raise failure(reference, result.cause, looking=arguments[0] == "inspect")
        return result.stdout


def failure(reference: Reference, cause: str, *, looking: bool) -> HomerunError:
    """`looking`: the reference was being looked up, not yet fetched."""
    for pattern, error, remedy in _ALWAYS + (_LOOKING if looking else ()):
        if re.search(pattern, cause, re.IGNORECASE):
            verb = "was not found" if issubclass(error, ImageNotFound) else "could not be imported"
            return error(f"Image {reference.text} {verb}: {cause}. {remedy}")
    return ImageUnusable(f"Image {reference.text} cannot be used: {cause}. Build it anew")
