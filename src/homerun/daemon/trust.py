"""The lists of trusted authorities on this machine, and how the local one gets in and out.

There is the system's list, which most programs ask, and those of Firefox and Chrome, one for each profile of a user.
What was done is said, and so is what could not be done, with what would help.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homerun.daemon.keys import open_authority
from homerun.lib.errors import NotFound, PermissionDenied
from homerun.settings import Settings
from homerun.wire.authority import Authority

_SYSTEM = (
    ("usr/local/share/ca-certificates", ["update-ca-certificates"]),  # Debian, Ubuntu, Alpine
    ("etc/pki/ca-trust/source/anchors", ["update-ca-trust"]),  # Fedora, Red Hat
    ("etc/ca-certificates/trust-source/anchors", ["update-ca-trust"]),  # Arch
    ("etc/pki/trust/anchors", ["update-ca-certificates"]),  # SUSE
)
_PROFILES = (
    ".pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
    ".mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True)
class Person:
    """Whose browsers are meant: who has called sudo."""

    home: Path
    uid: int
    gid: int

    @classmethod
    def who_asks(cls) -> Person:
        entry = pwd.getpwuid(int(os.environ.get("SUDO_UID", os.getuid())))
        return cls(Path(entry.pw_dir), entry.pw_uid, entry.pw_gid)


@dataclass(slots=True)
class Lists:
    """`root`: of the system whose list it is."""

    authority: Authority
    person: Person
    root: Path = Path("/")
    run: Run = subprocess.run
    failed: bool = field(default=False, init=False)
    """Something that should have worked did not."""

    @property
    def _file(self) -> str:
        return self.authority.name.replace(" ", "-") + ".crt"

    def install(self) -> Iterator[str]:
        """Do it, and say what was done."""
        folder, command = self._system()
        if folder is None:
            self.failed = True
            yield f"System: none of {', '.join(f'/{each}' for each, _ in _SYSTEM)} is there: install ca-certificates."
        else:
            try:
                (folder / self._file).write_bytes(self.authority.certificate.public)
                (folder / self._file).chmod(0o644)
            except OSError as error:
                raise PermissionDenied(f"cannot write {folder / self._file}: {error.strerror}; run as root") from None
            yield self._said(
                self._update(command), f"System: {self.authority.name} is trusted ({folder / self._file})."
            )
        arguments = ["-A", "-t", "C,,", "-n", self.authority.name]
        yield from self._browsers(arguments, "is trusted")

    def remove(self) -> Iterator[str]:
        folder, command = self._system()
        if folder is not None and (folder / self._file).exists():
            try:
                (folder / self._file).unlink()
            except OSError as error:
                raise PermissionDenied(f"cannot remove {folder / self._file}: {error.strerror}; run as root") from None
            # Without this word it keeps what has gone from the folder.
            command = [*command, "--fresh"] if command == ["update-ca-certificates"] else command
            yield self._said(self._update(command), f"System: {self.authority.name} is not trusted any more.")
        else:
            yield f"System: {self.authority.name} was not trusted."
        yield from self._browsers(["-D", "-n", self.authority.name], "is not trusted any more")

    def _system(self) -> tuple[Path | None, Sequence[str]]:
        for name, command in _SYSTEM:
            folder = self.root / name
            if folder.is_dir():
                return folder, command
        return None, ()

    def _update(self, command: Sequence[str]) -> str:
        """What went wrong, or nothing."""
        elsewhere: list[str] = []
        if self.root != Path("/"):
            etc = self.root / "etc"
            elsewhere = ["--etccertsdir", f"{etc}/ssl/certs", "--localcertsdir", f"{self._system()[0]}"]
            elsewhere += ["--certsconf", f"{etc}/ca-certificates.conf", "--hooksdir", f"{etc}/none"]
        return self._call([*command, *elsewhere])

    def _browsers(self, arguments: Sequence[str], done: str) -> Iterator[str]:
        profiles = [
            found.parent for pattern in _PROFILES for found in sorted(self.person.home.glob(f"{pattern}/cert9.db"))
        ]
        if not profiles:
            yield f"Browsers: no Firefox or Chrome has been used in {self.person.home}."
            return
        for profile in profiles:
            # As the user: their files stay theirs.
            problem = self._call(["certutil", *arguments, "-d", f"sql:{profile}"], as_person=True)
            if "could not find certificate" in problem:
                yield f"Browsers: {self.authority.name} was not trusted in {profile}."
            else:
                yield self._said(problem, f"Browsers: {self.authority.name} {done} in {profile}.")

    def _call(self, command: Sequence[str], *, as_person: bool = False) -> str:
        person = {"user": self.person.uid, "group": self.person.gid} if as_person and os.getuid() == 0 else {}
        try:
            self.run(
                command,
                input=self.authority.certificate.public.decode(),
                capture_output=True,
                text=True,
                check=True,
                **person,
            )
        except FileNotFoundError:
            package = {"certutil": "libnss3-tools"}.get(command[0], "ca-certificates")
            return f"{command[0]} is not installed: apt-get install {package}, and once more"
        except subprocess.CalledProcessError as error:
            return f"{' '.join(command)} failed: {(error.stderr or error.stdout).strip()[-300:]}"
        return ""

    def _said(self, problem: str, done: str) -> str:
        if not problem:
            return done
        self.failed = True
        return f"{done.partition(':')[0]}: {problem}."


def run(arguments: Sequence[str]) -> int:
    """`--state DIR`, `--print` or `--remove`. Returns the exit code."""
    given = list(arguments)
    state = Path(given[given.index("--state") + 1]) if "--state" in given else Settings().state
    lists = Lists(_authority(state), Person.who_asks())
    if "--print" in given:
        sys.stdout.write(lists.authority.certificate.public.decode())
        return 0
    for line in lists.remove() if "--remove" in given else lists.install():
        print(line, flush=True)
    return int(lists.failed)


def _authority(state: Path) -> Authority:
    if not os.access(state, os.R_OK | os.X_OK):
        if state.exists():
            raise PermissionDenied(f"cannot read the state folder {state}: run as root")
        raise NotFound(f"there is no {state}: name the state folder of a homerun that was started, with --state")
    try:
        return open_authority(state)
    except OSError as error:
        raise PermissionDenied(f"cannot read {error.filename or state}: {error.strerror}; run as root") from None
