"""What is on disk about each instance: a folder `instances/ID`, whose making is what keeps an id from being used twice.

    spec.json      who it is: labels, containers with their limits and probes; written first
    process.json   the monitor and the first process of each container, written before any program is let go: an
                   instance without it never ran and is swept away
    begun.KEY      empty; its time of change is when a container was let go that had to wait for others
    first.json     the container that ended first, of several, before the others are told to end
    ready          empty; its time of change is when the instance became ready
    told           empty; its time of change is when it was told to end, before it was
    unready.json   the containers whose readiness probe fails
    KEY            written by conmon: the exit status of a container (instance.Part.key)
    exit.json      the end; after it nothing changes
The first two are written, or there is no instance. The others are for whoever comes after a crash, who can find them
out in other ways, if less exactly: should the disk be full, it goes on without. Nothing is synced to disk: after a
crash of the machine nothing runs, so a lost record describes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from homerun.engine.base import ContainerSpec, Exit, InstanceSpec
from homerun.engine.oci.procfs import Process
from homerun.lib.errors import AlreadyExists

T = TypeVar("T")
_log = logging.getLogger("homerun.engine")
_GONE = "."
"""No id begins like this."""


class Pair(msgspec.Struct, frozen=True):
    """A container's two processes that matter."""

    monitor: Process
    init: Process


class Running(msgspec.Struct, frozen=True):
    """What process.json holds. `boot`: pids of another boot mean nothing. `pairs`: in the order of the containers.
    `started`: wall clock, and `mono` the same moment on the clock that nobody sets."""

    boot: str
    pairs: tuple[Pair, ...]
    started: float
    address: str | None
    mono: float | None = None


class Ended(msgspec.Struct, frozen=True):
    exit: Exit
    at: float
    container: str = ""


class _Kept(msgspec.Struct, frozen=True):
    """What spec.json holds: what is needed once the programs run. No variables and no files, which may be secret."""

    id: str
    containers: tuple[ContainerSpec, ...]
    labels: Mapping[str, str]
    port: int | None
    main: str
    grace: float

    @classmethod
    def of(cls, spec: InstanceSpec) -> _Kept:
        containers = tuple(replace(container, env={}) for container in spec.containers)
        return cls(spec.id, containers, spec.labels, spec.port, spec.main, spec.grace)

    def spec(self) -> InstanceSpec:
        return InstanceSpec(self.id, self.containers, self.labels, self.port, main=self.main, grace=self.grace)


class Record:
    """One instance's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        return self.folder.name

    @classmethod
    def create(cls, parent: Path, spec: InstanceSpec) -> Record:
        record = cls(parent / spec.id)
        try:
            record.folder.mkdir(mode=0o700)
        except FileExistsError:
            raise AlreadyExists(f"instance {spec.id} exists already") from None
        try:
            record._write("spec.json", _Kept.of(spec))
        except OSError:
            record.delete()  # the id is free again
            raise
        return record

    @classmethod
    def scan(cls, parent: Path) -> Iterator[Record]:
        for entry in os.scandir(parent):
            if entry.name.startswith(_GONE):
                shutil.rmtree(entry.path, ignore_errors=True)  # cut short
            elif entry.is_dir():
                yield cls(Path(entry.path))

    def spec(self) -> InstanceSpec | None:
        """As it was started, without variables and volumes."""
        kept = self._read("spec.json", _Kept)
        return None if kept is None else kept.spec()

    def running(self) -> Running | None:
        return self._read("process.json", Running)

    def ended(self) -> Ended | None:
        return self._read("exit.json", Ended)

    def write_running(self, running: Running) -> None:
        self._write("process.json", running)

    def write_ended(self, ended: Ended) -> None:
        with self._if_there_is_room():
            self._write("exit.json", ended)

    def write_ready(self, at: float) -> None:
        with self._if_there_is_room():
            _touch(self.folder / "ready", at)

    def write_told(self, at: float) -> None:
        with self._if_there_is_room():
            _touch(self.folder / "told", at)

    def told(self) -> float | None:
        return _changed(self.folder / "told")

    def write_unready(self, containers: tuple[str, ...]) -> None:
        with self._if_there_is_room():
            self._write("unready.json", containers)

    def unready(self) -> tuple[str, ...]:
        return self._read("unready.json", tuple[str, ...]) or ()

    def ready(self) -> float | None:
        return _changed(self.folder / "ready")

    def write_begun(self, key: str, at: float) -> None:
        with self._if_there_is_room():
            _touch(self.folder / f"begun.{key}", at)

    def begun(self, key: str) -> float | None:
        return _changed(self.folder / f"begun.{key}")

    def write_first(self, container: str) -> None:
        with self._if_there_is_room():
            self._write("first.json", container)

    def first(self) -> str | None:
        """The container whose end is that of the instance, if that was known before all had ended."""
        return self._read("first.json", str)

    def status(self, key: str) -> tuple[int, float] | None:
        """Exit status (128 + n: killed by signal n) and time, from conmon; None when conmon did not see the end."""
        file = self.folder / key
        try:
            return int(file.read_text()), file.stat().st_mtime
        except (OSError, ValueError):
            return None

    def delete(self) -> None:
        """At once: cut short, it must not look like an instance that never ran, whose output would be thrown away."""
        gone = self.folder.with_name(f"{_GONE}{self.id}")
        with contextlib.suppress(OSError):
            self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _write(self, name: str, what: object) -> None:
        """Whole or not at all, for readers and after kill -9. Raises OSError."""
        fresh = self.folder / f".{name}"
        try:
            fresh.write_bytes(msgspec.json.encode(what))
            fresh.rename(self.folder / name)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _if_there_is_room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _log.warning("instance %s: what became of it cannot be noted (%s)", self.id, error)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def _touch(file: Path, at: float) -> None:
    file.touch()
    os.utime(file, (at, at))


def _changed(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return None
