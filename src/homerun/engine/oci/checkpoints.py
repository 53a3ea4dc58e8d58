"""Checkpoints: the memory of an instance that has just become well, on disk, from which others go on (CRIU, by runc).

    STATE/checkpoints/KEY/
        about.json     of what it is, and since when: another spec, boot or version has nothing to do with it
        image/         CRIU's files: memory, open files, sockets that listen
        written.tar    what the instance had written to its root by then; not there if it was nothing

KEY is made from the name that the caller gave it. Only a single container without volumes can have one. The instance is
dumped in its own mount namespace, which lives on with us until its root is packed. Connections that are open cannot be
kept: then there is no checkpoint.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from homerun.engine.base import EngineUnavailable, InstanceSpec
from homerun.engine.oci import kernel, procfs
from homerun.engine.oci.monitor import Monitor
from homerun.engine.oci.runtime import Runtime
from homerun.lib.errors import FailedPrecondition

FOLDER = "/usr/local/lib/homerun"
"""Where scripts/criu puts it."""
_PATIENCE = 120
_SPARE = 1 << 30
"""Of the disk, in bytes, that are left alone."""
_TAR = ("tar", "--xattrs", "--xattrs-include=*", "--numeric-owner")


class _About(msgspec.Struct, frozen=True):
    digest: str
    boot: str
    tools: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "image"

    @property
    def written(self) -> Path | None:
        """A tar of what was written to the root."""
        file = self.folder / "written.tar"
        return file if file.exists() else None


class Checkpoints:
    """In `folder`. `criu`: path of the program; it is tried when this is made. Raises EngineUnavailable."""

    def __init__(self, folder: Path, run: Path, criu: str) -> None:
        self._folder = folder
        self.runtime = _runc(run, criu)
        versions = [_said([criu, "--version"]), _said([self.runtime.path, "--version"])]
        self._tools = " ".join(" ".join(versions).split())
        if wrong := fault(criu):
            raise EngineUnavailable(
                f"checkpoints cannot be made here: {wrong}. Leave --criu out, or see docs/starts.md"
            )
        folder.mkdir(mode=0o700, exist_ok=True)
        self._tidy()

    def find(self, spec: InstanceSpec) -> Checkpoint | None:
        """The one named `spec.checkpoint`, if it is of an instance like this."""
        if not spec.checkpoint:
            return None
        found = Checkpoint(self._folder / _key(spec.checkpoint))
        return found if found.folder.exists() and _read(found) == self._about(spec) else None

    def _tidy(self) -> None:
        """Those of another boot or version are of no use any more, nor are those that were cut short."""
        for found in map(Checkpoint, self._folder.iterdir()):
            about = _read(found)
            if about is None or (about.boot, about.tools) != (procfs.boot_id(), self._tools):
                shutil.rmtree(found.folder, ignore_errors=True)

    def drop(self, name: str) -> None:
        shutil.rmtree(self._folder / _key(name), ignore_errors=True)

    def dump(self, spec: InstanceSpec, key: str, created: Monitor, upper: Path) -> None:
        """Write down a container, which ends with it. In a thread with a mount namespace of its own, which becomes that
        of the container's. `upper`: where what it wrote is, there. Raises FailedPrecondition."""
        fresh = self._folder / f".{_key(spec.checkpoint)}"
        shutil.rmtree(fresh, ignore_errors=True)
        self._check_room(spec)
        (fresh / "image").mkdir(parents=True)
        try:
            namespace = os.open(f"/proc/{created.process.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            try:
                kernel.setns(namespace, kernel.CLONE_NEWNS)
            finally:
                os.close(namespace)
            self._checkpoint(key, fresh)
            if os.listdir(upper):
                _run([*_TAR, "-C", str(upper), "-cpf", str(fresh / "written.tar"), "."], "what it wrote cannot be kept")
            (fresh / "about.json").write_bytes(msgspec.json.encode(self._about(spec)))
            self.drop(spec.checkpoint)
            fresh.rename(self._folder / _key(spec.checkpoint))
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _checkpoint(self, key: str, folder: Path) -> None:
        places = ["--image-path", str(folder / "image"), "--work-path", str(folder)]
        command = [self.runtime.path, *self.runtime.arguments, "checkpoint", "--file-locks", *places, key]
        try:
            _run(command, "it cannot be written down")
        except FailedPrecondition as error:
            raise FailedPrecondition(f"{error.message}{_reason(folder / 'dump.log')}") from None
        for log in folder.glob("*.log"):
            log.unlink()

    def _check_room(self, spec: InstanceSpec) -> None:
        wanted = sum(container.memory for container in spec.containers) + _SPARE
        if shutil.disk_usage(self._folder).free < wanted:
            raise FailedPrecondition(f"there is no room for it on the disk: want {wanted >> 20} MiB")

    def _about(self, spec: InstanceSpec) -> _About:
        alike = replace(spec, id="", labels={})
        digest = hashlib.sha256(msgspec.json.encode(alike)).hexdigest()
        return _About(digest, procfs.boot_id(), self._tools)


def _read(found: Checkpoint) -> _About | None:
    try:
        return msgspec.json.decode((found.folder / "about.json").read_bytes(), type=_About)
    except (OSError, msgspec.DecodeError):
        return None


def unpack(written: Path, upper: Path) -> None:
    """Into the writable part of a root, before it is mounted. Raises FailedPrecondition."""
    _run([*_TAR, "-C", str(upper), "-xpf", str(written)], "what was written cannot be brought back")


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _runc(run: Path, criu: str) -> Runtime:
    path = shutil.which("runc")
    if path is None:
        raise EngineUnavailable("checkpoints need runc: apt-get install runc")
    root = run / "runc"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Runtime(path, root, criu)


def fault(criu: str) -> str:
    """Empty: CRIU works with this kernel."""
    try:
        done = subprocess.run([criu, "check"], capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{criu}: {error}"
    return "" if done.returncode == 0 else f"{criu} check: {_last(done.stderr + done.stdout)}"


def _said(command: list[str]) -> str:
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True).stdout
    return ""


def _run(command: list[str], wrong: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FailedPrecondition(f"{wrong}: {error}") from None
    if done.returncode:
        raise FailedPrecondition(f"{wrong}: {_last(done.stderr or done.stdout)}")


def _last(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no message"


def _reason(log: Path) -> str:
    """What CRIU says of what is wrong."""
    with contextlib.suppress(OSError):
        errors = [
            line.partition("Error")[2] for line in log.read_text(errors="replace").splitlines() if "Error" in line
        ]
        if errors:
            return f" (CRIU:{' '.join(errors)})"
    return ""
