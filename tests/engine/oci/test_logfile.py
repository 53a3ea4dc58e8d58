"""Lines out of conmon's k8s-file, whole and in time order."""

from pathlib import Path

import pytest

from homerun.engine.oci.logfile import Line, parse, read

SECOND = 1_795_521_600  # 2026-11-24T12:00:00Z


def record(at: float, text: str, kind: str = "F", stream: str = "stdout", zone: str = "+00:00") -> bytes:
    return f"2026-11-24T12:00:{at:012.9f}{zone} {stream} {kind} {text}\n".encode()


def test_a_record_is_a_line_with_time_and_stream() -> None:
    [line] = parse(record(1.25, " two  words ", stream="stderr"), ended=False)
    assert line == Line(SECOND + 1.25, "stderr", " two  words ")


def test_other_time_zones_are_understood() -> None:
    [line] = parse(record(0, "x", zone="+05:30"), ended=False)
    assert line.time == SECOND - 5.5 * 3600
    assert next(parse(record(0, "x", zone="Z"), ended=False)).time == SECOND


def test_pieces_are_joined_per_stream_and_dated_by_their_end() -> None:
    data = record(1, "par", "P") + record(2, "E", "F", "stderr") + record(3, "tial", "P") + record(4, "", "F")
    assert list(parse(data, ended=False)) == [Line(SECOND + 2, "stderr", "E"), Line(SECOND + 4, "stdout", "partial")]


def test_a_piece_without_an_end_is_a_line_once_nothing_more_can_come() -> None:
    data = record(1, "no newline", "P")
    assert list(parse(data, ended=False)) == []
    assert [line.text for line in parse(data, ended=True)] == ["no newline"]


def test_an_empty_line_is_a_line() -> None:
    assert [line.text for line in parse(record(1, ""), ended=False)] == [""]


def test_what_is_no_text_and_what_is_no_record_does_no_harm() -> None:
    data = b"garbage\n" + b"not-a-time stdout F x\n" + record(1, "ok").replace(b"ok", b"\xff\xfe")
    assert [line.text for line in parse(data, ended=False)] == ["\ufffd\ufffd"]


def test_a_line_beyond_the_limit_is_cut() -> None:
    data = b"".join(record(1 + n / 1000, "x" * 8192, "P") for n in range(40)) + record(2, "end")
    lines = [line.text for line in parse(data, ended=False)]
    assert [len(line) for line in lines] == [256 << 10, 8 * 8192 + 3]


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """More than the first look takes in."""
    file = tmp_path / "big.log"
    file.write_bytes(b"".join(record(n / 1000, f"{n} " + "x" * 60) for n in range(20_000)))
    return file


def numbers(lines: list[Line]) -> list[int]:
    return [int(line.text.split()[0]) for line in lines]


def test_the_end_of_a_big_file_is_found_from_the_end(big: Path) -> None:
    found = read(big, since=SECOND + 19.9895, until=None, limit=None, ended=False)
    assert numbers(found) == list(range(19_990, 20_000))


def test_time_and_count_choose_the_same_lines_as_reading_everything(big: Path) -> None:
    everything = read(big, since=0, until=None, limit=None, ended=False)
    assert numbers(everything) == list(range(20_000))
    for since, until, limit in ((0, SECOND + 3.0005, 5), (SECOND + 2, SECOND + 9, None), (0, None, 7000)):
        wanted = [line for line in everything if since < line.time and (until is None or line.time <= until)]
        assert read(big, since=since, until=until, limit=limit, ended=False) == (
            wanted if limit is None else wanted[-limit:]
        )
    assert read(big, since=0, until=None, limit=0, ended=False) == []


def test_a_record_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_bytes(record(1, "whole") + record(2, "half a rec")[:-1])
    assert [line.text for line in read(file, since=0, until=None, limit=None, ended=False)] == ["whole"]


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "none", since=0, until=None, limit=None, ended=True) == []
