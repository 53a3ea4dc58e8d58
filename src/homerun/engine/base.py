"""The Engine port: import an image, start an instance of it, learn what becomes of it.

An instance is one run of one or more containers that share a network, begin in the order of their dependencies and
end together. Its id is chosen by the caller and never used twice: starting the same id again is AlreadyExists, which is
what makes at-most-once possible. What the engine holds survives the process that called it: after a restart
`instances()` finds every instance that was not removed, running or exited, with its labels, its exit and its logs. No
caller may assume a pid, a path or a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from homerun.engine.images.reference import repository
from homerun.engine.output import OutputSource
from homerun.lib.errors import HomerunError, Invalid, NotFound
from homerun.model.probe import Check, Probe

THROTTLED = 0.01
"""Cores of an instance that should get nearly none: enough to answer, slowly, if nobody is there to give it more."""


class ImageNotFound(NotFound):
    """The reference names nothing: no such repository, tag, file or digest, or the registry does not answer."""


class ImageForbidden(ImageNotFound):
    """The registry wants to know who asks; which of two it is, it does not say."""


class ImageUnusable(Invalid):
    """It is there but cannot be run here: another architecture or OS, no command, malformed or hostile layers."""


class EngineUnavailable(HomerunError):
    """The host lacks something; the message names it and the remedy."""

    code, status, http = 14, "UNAVAILABLE", 503


@dataclass(frozen=True, slots=True)
class Image:
    """An imported image, ready to start. `digest` is that of the manifest: `sha256:…`."""

    reference: str
    digest: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = "/"
    user: str = ""

    @property
    def pinned(self) -> str:
        """`repository@sha256:…`, what `status.imageDigest` shows (contract §4.1)."""
        return f"{repository(self.reference)}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume of the instance, or the folder or file `sub_path` in it, at `path` in the container."""

    volume: str
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class MemoryVolume:
    """Empty at first, shared by the containers, gone with the instance. `size` in bytes; counts as memory."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class DiskVolume:
    """Empty at first, shared by the containers, on disk, gone with the instance. `size` in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class FilesVolume:
    """Given files (path in the volume -> content and mode), read-only."""

    name: str
    files: Mapping[str, tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class FolderVolume:
    """A folder of the host that stays: a bucket, or what the user named.

    `inside`: the part of it to show, made if it is missing; whoever writes there cannot make it lead out of `folder`.
    `remedy`: what to do about it when `folder` is not there.
    """

    name: str
    folder: str
    read_only: bool = False
    inside: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class NfsVolume:
    name: str
    server: str
    export: str
    read_only: bool = False


Volume = MemoryVolume | DiskVolume | FilesVolume | FolderVolume | NfsVolume


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """`image` is the `pinned` reference of an image that was pulled before. Empty command/args: the image's own."""

    image: str
    name: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    cpu: float = 1.0
    """In cores."""
    start_cpu: float = 0.0
    """If that is more: from the start until `allot`."""
    memory: int = 512 << 20
    """In bytes; the writable root counts against it (contract §1.5)."""
    depends_on: tuple[str, ...] = ()
    """Names of containers that must be well before this one starts (contract §13.3)."""
    startup: Probe | None = None
    """It is well once this passed; None: as soon as it runs."""
    liveness: Probe | None = None
    readiness: Probe | None = None
    """Both are asked from the moment on that the instance is ready (contract §1.11)."""
    mounts: tuple[Mount, ...] = ()

    @property
    def watched(self) -> Mapping[Check, Probe]:
        """What it is asked while its instance is ready."""
        probes = {Check.LIVENESS: self.liveness, Check.READINESS: self.readiness}
        return {check: probe for check, probe in probes.items() if probe is not None}


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """`containers` in the template's order, each with a name of its own if there are several.

    `labels` come back from `instances()` and on every log line: they say what the instance is for. It is ready when all
    its containers are well. Whichever container ends first, the others are stopped (SIGTERM, and SIGKILL `grace`
    seconds later), and its exit is that of the instance.
    """

    id: str
    containers: tuple[ContainerSpec, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    """Where it takes requests, if it does."""
    volumes: tuple[Volume, ...] = ()
    main: str = ""
    """The container whose end is that of the instance (a task's): any other may end with 0 before it, and nothing
    follows. Empty: there is none such."""
    grace: float = 10
    checkpoint: str = ""
    """Name of one to go on from, if there is one of an instance like this (`checkpoint`)."""
    background: bool = False
    """It gives way: nobody waits for a request that it answers. Others come first where CPU is short."""

    @property
    def cpu(self) -> float:
        """Cores of all containers together."""
        return sum(container.cpu for container in self.containers)

    @property
    def start_cpu(self) -> float:
        """Likewise, until `allot`."""
        return sum(max(container.cpu, container.start_cpu) for container in self.containers)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an instance takes requests; reachable from the router."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended: `code` or `signal`, never both. `code` and `signal` None: nobody saw it (machine died)."""

    code: int | None = None
    signal: int | None = None
    oom: bool = False
    """It was killed for exceeding its memory limit."""

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def seen(self) -> bool:
        """Somebody saw it, and knows when it was."""
        return self.code is not None or self.signal is not None


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance as `instances()` finds it. Times are wall clock, seconds."""

    id: str
    labels: Mapping[str, str]
    phase: Phase
    started: float
    address: Address | None = None
    ready: float | None = None
    exited: float | None = None
    exit: Exit | None = None
    container: str = ""
    """That ended first, once it has exited."""
    unready: tuple[str, ...] = ()
    """Containers whose readiness probe says that they can take no requests now."""
    told: float | None = None
    """When it was told to end (`stop`), if it had not ended by itself: also by an earlier process than this one."""

    @property
    def leaving(self) -> bool:
        """It has ended, or will before long."""
        return self.told is not None or self.phase in (Phase.STOPPING, Phase.EXITED)


class Origin(StrEnum):
    """What a start began from."""

    IMAGE = "image"
    """Nothing was there but the image."""
    STANDBY = "standby"
    """Its containers had been made ahead (`prepare`)."""
    CHECKPOINT = "checkpoint"
    """It goes on from where another one had been written down (`checkpoint`)."""


# Events: what the engine tells its listener. Exactly one Exited per started instance, always the last.


@dataclass(frozen=True, slots=True)
class Ready:
    """Every container runs and its startup probe, if any, passed. `phases`: name -> seconds, for timelines."""

    id: str
    address: Address | None
    at: float
    phases: Mapping[str, float] = field(default_factory=dict)
    origin: Origin = Origin.IMAGE


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe of `container` says what it did not say before: it is well, or not, so many `times` in a row.

    STARTUP, not well: its time is over. LIVENESS, not well: it is not alive. The engine kills the instance, and Exited
    follows. READINESS: `unready` are the containers that are not ready now; all are taken for ready at first.
    """

    id: str
    at: float
    container: str
    check: Check
    well: bool
    times: int
    wrong: str = ""
    """What its last answer lacked, in the platform's words where it has any."""
    message: str = ""
    """Of a failed start, what was found instead: the ports that it listens on, or that it does on 127.0.0.1 only."""
    unready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exited:
    """All its containers are gone. `exit` is that of `container`, which ended first."""

    id: str
    at: float
    exit: Exit
    container: str = ""


Event = Ready | Probed | Exited
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a container wrote. `stream` is `stdout` or `stderr`; `time` is wall clock, seconds."""

    time: float
    instance: str
    stream: str
    text: str
    labels: Mapping[str, str] = field(default_factory=dict)
    container: str = ""


class Engine(Protocol):
    @property
    def output(self) -> OutputSource:
        """What containers write, to be moved to where logs are kept."""
        ...

    async def open(self, listener: Listener) -> None:
        """Check the host, adopt what runs, then tell `listener` everything that happens, from the event loop.

        Events of adopted instances come too: Ready for those still starting, Exited for those that ended meanwhile
        (those already EXITED in `instances()` are not announced again). Raises EngineUnavailable.
        """
        ...

    async def pull(self, reference: str) -> Image:
        """Resolve to a digest, import, unpack; quick when it is already here. Raises ImageNotFound, ImageUnusable."""
        ...

    async def start(self, spec: InstanceSpec) -> None:
        """Returns when the processes of the containers that wait for no other run; Ready or Exited follow.

        Raises AlreadyExists (the id was used), NotFound (image not pulled), Invalid (no such command, not executable)
        or Internal; after a raise nothing is left behind and no event comes.
        """
        ...

    async def prepare(self, spec: InstanceSpec) -> None:
        """Do ahead what can be done of `start(spec)`: no program runs, no event comes, `instances()` does not have it.

        `start` with an equal spec goes on from there; with another one of the same id it first throws away what was
        prepared. Neither `close` nor a crash leaves anything of it: the id may be used again. Raises as `start` does.
        """
        ...

    async def dismiss(self, id: str) -> None:
        """Throw away what was prepared; returns when it is gone. Whatever else has that id: nothing happens."""
        ...

    async def checkpoint(self, spec: InstanceSpec) -> None:
        """Start an instance that nobody hears of, and when it is well write it down under the name `spec.checkpoint`.
        Later ones with an equal spec, but for id and labels, go on from there. Returns when it is done, and it is gone.

        One of the same name is replaced. Raises EngineUnavailable where that cannot be done at all, FailedPrecondition
        where it cannot be done with this one, and what `start` raises.
        """
        ...

    async def drop_checkpoint(self, name: str) -> None:
        """Unknown: no error."""
        ...

    async def stop(self, id: str, grace: float = 10) -> None:
        """SIGTERM now, SIGKILL `grace` seconds later; returns at once, Exited follows. Unknown or exited: no error."""
        ...

    async def remove(self, id: str) -> None:
        """Forget an exited instance; its log lines stay readable. Unknown: no error. Running: FailedPrecondition."""
        ...

    def allot(self, id: str, cores: float | None) -> None:
        """From now on its containers together may use so much CPU (THROTTLED: nearly none); None: what its spec says.

        Sockets stay open. `stop` lifts it, so that what ends can end in time, and so does `open` for everything that is
        ready: whoever throttled it is gone. Unknown, starting, stopping or exited: nothing happens.
        """
        ...

    async def refresh_files(self, id: str, volume: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        """From now on its FilesVolume `volume` has these files and no others: path -> content and mode.

        Whoever opens one meanwhile gets the old content or the new one, whole. One that is just starting gets them as
        soon as it runs. Unknown or exited, or without such a volume: nothing happens.
        """
        ...

    async def cpu_used(self, ids: Iterable[str]) -> Mapping[str, float]:
        """Seconds of CPU that each has used since its start, of those that run."""
        ...

    def instances(self) -> Sequence[InstanceState]: ...

    def at(self, host: str) -> InstanceState | None:
        """The running instance that speaks from this address: no other can."""
        ...

    async def logs(
        self,
        labels: Mapping[str, str],
        *,
        since: float = 0,
        until: float | None = None,
        limit: int | None = None,
    ) -> Sequence[LogLine]:
        """Lines with `since < time` (and `<= until`) of instances that carry all of `labels`, removed ones too.

        In time order; with `limit`, the last so many. Those that were taken from `output` may be missing, except for
        the last of an instance that was not removed.
        """
        ...

    async def close(self) -> None:
        """Stop watching. Instances go on."""
        ...
