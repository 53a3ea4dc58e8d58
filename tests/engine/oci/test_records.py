"""What is on disk about an instance, whole or not at all."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from homerun.engine.base import ContainerSpec, Exit, InstanceSpec, MemoryVolume, Mount
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.records import Ended, Pair, Record, Running
from homerun.lib.errors import AlreadyExists
from homerun.model.probe import Probe

PROBE = Probe(5432, "/", (("a", "b"),), "s", 1, 2, 3, 4, 5)
SPEC = InstanceSpec(
    "i1",
    (
        ContainerSpec("x@sha256:1", "web", ("/app",), ("-v",), {}, "/srv", 0.5, 1, 1 << 30, ("db",)),
        ContainerSpec("y@sha256:2", "db", startup=PROBE, mounts=(Mount("v", "/v"),)),
    ),
    {"service": "s"},
    8080,
    main="web",
    grace=3,
)


def test_everything_comes_back(tmp_path: Path) -> None:
    record = Record.create(tmp_path, SPEC)
    running = Running("boot", (Pair(Process(1, 2), Process(3, 4)),), 5.5, "10.0.0.1")
    record.write_running(running)
    record.write_ready(1700000000.25)
    record.write_first("db")
    record.write_begun("i1+web", 1700000000.5)
    record.write_ended(Ended(Exit(signal=9, oom=True), 6.5))
    [again] = Record.scan(tmp_path)
    assert again.id == "i1"
    assert again.spec() == SPEC
    assert again.running() == running
    assert again.ready() == 1700000000.25
    assert (again.first(), again.begun("i1+web"), again.begun("i1+db")) == ("db", 1700000000.5, None)
    assert again.ended() == Ended(Exit(signal=9, oom=True), 6.5)


def test_what_may_be_secret_is_not_kept(tmp_path: Path) -> None:
    web, db = SPEC.containers
    spec = replace(SPEC, containers=(replace(web, env={"KEY": "secret"}), db), volumes=(MemoryVolume("v", 1),))
    assert Record.create(tmp_path, spec).spec() == SPEC


def test_a_fresh_record_has_nothing_but_its_spec(tmp_path: Path) -> None:
    record = Record.create(tmp_path, SPEC)
    assert (record.running(), record.ready(), record.ended(), record.status("i1")) == (None, None, None, None)


def test_an_id_can_be_taken_once(tmp_path: Path) -> None:
    Record.create(tmp_path, SPEC)
    with pytest.raises(AlreadyExists, match="i1"):
        Record.create(tmp_path, SPEC)
    Record(tmp_path / "i1").delete()
    Record(tmp_path / "i1").delete()
    Record.create(tmp_path, SPEC)


def test_a_removal_that_was_cut_short_leaves_no_instance_that_never_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record.create(tmp_path, SPEC)
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda folder, ignore_errors: (folder / "spec.json").unlink())
        record.delete()
    assert list(Record.scan(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_the_exit_status_is_conmons(tmp_path: Path) -> None:
    record = Record.create(tmp_path, SPEC)
    (record.folder / "i1").write_text("137")
    os.utime(record.folder / "i1", (7, 7))
    assert record.status("i1") == (137, 7)
    (record.folder / "i1").write_text("")
    assert record.status("i1") is None


def test_a_torn_file_counts_as_none(tmp_path: Path) -> None:
    record = Record.create(tmp_path, SPEC)
    (record.folder / "process.json").write_text('{"boot": "b", "mon')
    assert record.running() is None


def test_on_a_full_disk_there_is_no_record_and_what_comes_later_is_only_not_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "there").mkdir()
    record = Record.create(tmp_path / "there", SPEC)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        patched.setattr(Path, "touch", full)
        with pytest.raises(OSError, match="No space left"):
            Record.create(tmp_path, SPEC)
        with pytest.raises(OSError, match="No space left"):
            record.write_running(Running("boot", (), 5.5, None))
        record.write_ready(1.0)
        record.write_begun("i1+web", 1.0)
        record.write_first("db")
        record.write_unready(("db",))
        record.write_ended(Ended(Exit(code=0), 6.5))
    assert not (tmp_path / "i1").exists(), "the id is free again"
    assert [path.name for path in record.folder.iterdir()] == ["spec.json"]
    assert (record.ready(), record.first(), record.ended()) == (None, None, None)
