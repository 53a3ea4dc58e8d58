"""What instances of an image do, for the engine without containers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from homerun.engine.base import Address, Exit, Image, InstanceSpec
from homerun.lib.errors import HomerunError

TERMINATED = Exit(signal=15)
KILLED = Exit(signal=9)


@dataclass(frozen=True, slots=True)
class Line:
    """Something that the container writes, `after` seconds from its start."""

    text: str
    after: float = 0
    stream: str = "stdout"


@dataclass(frozen=True, slots=True)
class Script:
    """What instances of an image do. All times are seconds, counted from the start of the process."""

    pull: float = 0
    """How long a pull takes, the first time."""
    unusable: str = ""
    """If set, a pull raises ImageUnusable with this message."""
    digest: str = ""
    """Manifest digest; empty: made from the reference. Another one under the same tag is a new image."""
    start: float = 0.02
    """How long `start` takes."""
    checkpoint_error: HomerunError | None = None
    """If set, `checkpoint` raises it."""
    start_error: HomerunError | None = None
    """If set, `start` raises it."""
    ready: float = 0.005
    """When the probe passes. Beyond the probe's limit it fails."""
    probe_failure: str = ""
    """If set, the probe never passes, and this is what it reports at its limit."""
    exit: Exit | None = None
    """How it ends by itself, at `exit_after`; None: it runs until it is stopped."""
    exit_after: float = 1
    on_term: Exit = TERMINATED
    """How it ends after SIGTERM, `stop_after` seconds later, unless the grace period is shorter."""
    stop_after: float = 0.01
    cpu: float = 0
    """Cores that it would use all the time; it gets what it is allotted of them."""
    lines: tuple[Line, ...] = ()
    address: Address | None = None
    """Where requests go; None: an address of its own that nothing listens on."""
    image: Image | None = None
    """Entrypoint, environment and so on; its reference and digest are filled in."""


Behaviour = Script | Callable[[InstanceSpec], Script]
"""A function sees the spec: what a task does may depend on its index and attempt."""


def image_of(reference: str, script: Script) -> Image:
    digest = script.digest or "sha256:" + hashlib.sha256(reference.encode()).hexdigest()
    return replace(script.image or Image(reference, digest, cmd=("/app",)), reference=reference, digest=digest)
