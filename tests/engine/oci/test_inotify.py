"""What happened to the files of a folder, told once."""

import select
from pathlib import Path

import pytest

from homerun.engine.oci import inotify
from homerun.engine.oci.inotify import Watch


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    watch = Watch(tmp_path)
    assert not readable(watch)
    return watch


def readable(watch: Watch) -> bool:
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(0))


def test_files_that_were_made_written_or_replaced_are_named_once(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")
    (tmp_path / "é.log").touch()
    (tmp_path / "a.log.tmp").write_text("y")
    (tmp_path / "a.log.tmp").rename(tmp_path / "b.log")
    assert readable(watch)
    assert watch.names() == {"a.log", "é.log", "a.log.tmp", "b.log"}
    assert watch.names() == set()
    watch.close()


def test_reading_and_removing_is_no_news(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    watch.names()
    (tmp_path / "a").read_text()
    (tmp_path / "a").unlink()
    assert watch.names() == set()
    watch.close()


def test_too_many_to_tell(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = inotify._EVENT.pack(-1, 0x4000, 0, 0)
    monkeypatch.setattr(inotify.os, "read", lambda fd, size: lost)
    assert watch.names() is None
    monkeypatch.undo()
    watch.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="inotify_add_watch"):
        Watch(tmp_path / "none")
