"""From labels to lines, over restarts."""

import errno
import os
import resource
from collections.abc import Collection
from pathlib import Path

import pytest

from homerun.engine.base import LogLine
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.spool import link
from tests.engine.oci.test_logfile import SECOND, record


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    logs = Logs(tmp_path)
    logs.open()
    for number in range(5):
        write(logs, f"i{number}", {"job": "j", "task": str(number)}, number * 10)
    return logs


def write(logs: Logs, id: str, labels: dict[str, str], at: float) -> None:
    logs.add(id, labels, {id: "web"})
    logs.file(id).write_bytes(record(at, f"{id} begins") + record(at + 5, f"{id} ends"))
    os.utime(logs.file(id), (SECOND + at + 5, SECOND + at + 5))


def texts(
    logs: Logs,
    labels: dict[str, str],
    since: float = 0,
    until: float | None = None,
    limit: int | None = None,
    running: Collection[str] = (),
) -> list[str]:
    return [line.text for line in logs.read(labels, since, until, limit, running)]


def test_lines_carry_the_labels_of_their_instance(logs: Logs) -> None:
    line = logs.read({"task": "3"}, 0, None, None, ())[0]
    assert line == LogLine(SECOND + 30, "i3", "stdout", "i3 begins", {"job": "j", "task": "3"}, "web")


def test_lines_of_several_instances_are_merged_by_time(logs: Logs) -> None:
    write(logs, "i9", {"job": "j"}, 7)
    assert texts(logs, {"job": "j"}, until=SECOND + 12)[1:4] == ["i0 ends", "i9 begins", "i1 begins"]


def test_the_last_lines_come_from_whichever_files_have_them(logs: Logs) -> None:
    write(logs, "i9", {"job": "j"}, 37)
    assert texts(logs, {"job": "j"}, limit=4) == ["i9 begins", "i4 begins", "i9 ends", "i4 ends"]
    assert texts(logs, {"job": "j"}, limit=0) == []
    assert len(texts(logs, {"job": "j"}, limit=100)) == 12


def test_files_that_ended_before_are_not_read(logs: Logs) -> None:
    logs.file("i0").write_bytes(b"")
    os.utime(logs.file("i0"), (SECOND, SECOND))
    logs.file("i0").chmod(0)
    assert texts(logs, {"job": "j"}, since=SECOND + 41) == ["i4 ends"]


def test_the_index_survives_a_restart_and_a_torn_line(logs: Logs, tmp_path: Path) -> None:
    with open(tmp_path / "index.jsonl", "ab") as index:
        index.write(b'{"id": "i7", "lab')
    (tmp_path / "i1.log").unlink()
    (tmp_path / "orphan.log").write_bytes(b"")
    again = Logs(tmp_path)
    again.open()
    assert "i0" in again and "i1" not in again and "i7" not in again
    assert texts(again, {"task": "2"}) == ["i2 begins", "i2 ends"]
    assert len((tmp_path / "index.jsonl").read_text().splitlines()) == 4
    assert not (tmp_path / "orphan.log").exists()


def test_what_was_discarded_has_no_files_and_its_id_is_not_free(logs: Logs, tmp_path: Path) -> None:
    link(logs.file("i1"), logs.held("i1"))
    logs.discard("i1")
    logs.discard("i1")
    assert not list(tmp_path.glob("i1.*"))
    assert "i1" in logs and logs.entry("i1") is None
    again = Logs(tmp_path)
    again.open()
    assert again.keys() == ["i0", "i2", "i3", "i4"]


def test_a_dropped_start_was_never_there(logs: Logs) -> None:
    logs.drop("i0")
    logs.drop("never")
    assert "i0" not in logs and not logs.file("i0").exists()


def test_a_line_of_the_index_for_which_there_is_no_room_leaves_no_half_of_it(logs: Logs, tmp_path: Path) -> None:
    """Otherwise the next line would be glued to it, and the output of that instance thrown away at the next start."""
    size, (_, hard) = (tmp_path / "index.jsonl").stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            logs.add("i8", {"job": "j"}, {"i8": ""})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    logs.drop("i8")
    logs.file("i9").write_bytes(b"")
    logs.add("i9", {"job": "j"}, {"i9": ""})
    again = Logs(tmp_path)
    again.open()
    assert "i9" in again and "i8" not in again


def test_an_index_that_cannot_be_written_anew_stays(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (tmp_path / "index.jsonl").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    again = Logs(tmp_path)
    again.open()
    assert "i0" in again
    assert (tmp_path / "index.jsonl").read_bytes() == before
