"""The lists of trusted authorities: a system of its own under a temporary root, and a certutil that only notes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from homerun.daemon import trust
from homerun.daemon.keys import open_authority
from homerun.daemon.trust import Lists, Person
from homerun.lib.errors import NotFound
from tests.support.tls import make_authority

AUTHORITY = make_authority()
FILE = AUTHORITY.name.replace(" ", "-") + ".crt"


class Programs:
    """Stands in for subprocess.run. `missing` ones are not installed, `broken` ones fail."""

    def __init__(self, missing: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> None:
        self.calls: list[list[str]] = []
        self.missing, self.broken = missing, broken

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert options["input"] == AUTHORITY.certificate.public.decode()
        if command[0] in self.missing:
            raise FileNotFoundError(command[0])
        if command[0] in self.broken:
            raise subprocess.CalledProcessError(1, command, stderr="it is read-only\n")
        self.calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "home", os.getuid(), os.getgid())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "usr/local/share/ca-certificates").mkdir(parents=True)
    return tmp_path / "root"


def profile(person: Person, name: str) -> Path:
    made = person.home / name
    made.mkdir(parents=True)
    (made / "cert9.db").touch()
    return made


def test_the_system_and_all_profiles_are_told(root: Path, person: Person) -> None:
    programs = Programs()
    firefox, chrome = profile(person, ".mozilla/firefox/x.default"), profile(person, ".pki/nssdb")
    lists = Lists(AUTHORITY, person, root, programs)
    said = list(lists.install())
    assert (root / "usr/local/share/ca-certificates" / FILE).read_bytes() == AUTHORITY.certificate.public
    assert [line.partition(":")[0] for line in said] == ["System", "Browsers", "Browsers"]
    assert all("is trusted" in line for line in said)
    assert [call[0] for call in programs.calls] == ["update-ca-certificates", "certutil", "certutil"]
    assert [call[-1] for call in programs.calls[1:]] == [f"sql:{chrome}", f"sql:{firefox}"]
    assert not lists.failed


def test_all_of_it_is_taken_back(root: Path, person: Person) -> None:
    programs = Programs()
    profile(person, ".pki/nssdb")
    lists = Lists(AUTHORITY, person, root, programs)
    list(lists.install())
    assert "is not trusted any more" in "\n".join(lists.remove())
    assert not (root / "usr/local/share/ca-certificates" / FILE).exists()
    assert programs.calls[-1][:4] == ["certutil", "-D", "-n", AUTHORITY.name]
    assert next(iter(lists.remove())) == f"System: {AUTHORITY.name} was not trusted."


def test_what_could_not_be_done_is_said_with_what_helps(root: Path, person: Person) -> None:
    profile(person, ".pki/nssdb")
    lists = Lists(AUTHORITY, person, root, Programs(missing=("certutil",), broken=("update-ca-certificates",)))
    system, browsers = lists.install()
    assert system.startswith("System: update-ca-certificates ") and "failed: it is read-only" in system
    assert browsers == "Browsers: certutil is not installed: apt-get install libnss3-tools, and once more."
    assert lists.failed


def test_without_a_list_of_the_system_that_is_said(tmp_path: Path, person: Person) -> None:
    lists = Lists(AUTHORITY, person, tmp_path, Programs())
    system, browsers = lists.install()
    assert "install ca-certificates" in system
    assert browsers == f"Browsers: no Firefox or Chrome has been used in {person.home}."
    assert lists.failed


def test_it_is_printed_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trust.run(["--state", str(tmp_path), "--print"]) == 0
    printed = capsys.readouterr().out
    assert printed.encode() == open_authority(tmp_path).certificate.public
    assert "PRIVATE" not in printed


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="name the state folder of a homerun that was started, with --state"):
        trust.run(["--state", str(tmp_path / "nowhere")])
    assert not (tmp_path / "nowhere").exists()


def test_browsers_are_those_of_whoever_called_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "0")
    assert Person.who_asks() == Person(Path("/root"), 0, 0)


def test_a_profile_that_never_had_it_is_no_failure(root: Path, person: Person) -> None:
    def certutil(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(255, command, stderr='certutil: could not find certificate named "x"')

    made = profile(person, ".pki/nssdb")
    lists = Lists(AUTHORITY, person, root, certutil)  # type: ignore[arg-type]
    assert list(lists.remove())[1] == f"Browsers: {AUTHORITY.name} was not trusted in {made}."
    assert not lists.failed


@pytest.mark.sockets
@pytest.mark.skipif(not shutil.which("update-ca-certificates", path="/usr/sbin:/usr/bin"), reason="not Debian")
def test_the_systems_own_program_puts_it_into_the_bundle_and_out_again(
    root: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
    (root / "etc/ssl/certs").mkdir(parents=True)
    (root / "etc/ca-certificates.conf").touch()
    other = make_authority().certificate.public
    (root / "usr/local/share/ca-certificates/other.crt").write_bytes(other)
    lists = Lists(AUTHORITY, person, root)
    list(lists.install())
    assert not lists.failed
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    assert AUTHORITY.certificate.public.decode() in bundle.read_text()
    list(lists.remove())
    assert not lists.failed
    assert bundle.read_bytes() == other
