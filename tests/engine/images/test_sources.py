import io
import tarfile
from pathlib import Path

import pytest

from homerun.engine.images.sources import unpack
from homerun.lib.errors import Invalid


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for key, value in fields.items():
        setattr(made, key, value)
    return made, content


def link(name: str, target: str, type: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=type, linkname=target)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    packed.seek(0)
    return packed


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("untouched")
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def test_files_folders_and_links_come_out_as_they_went_in(target: Path) -> None:
    unpack(
        archive(
            member(".", type=tarfile.DIRTYPE),
            member("bin", type=tarfile.DIRTYPE),
            member("bin/run", b"#!", mode=0o755),
            member("deep/er/data", b"x" * 100_000, mode=0o644),
            link("again", "bin/run"),
            link("bin/up", "../deep"),
            link("same", "bin/run", tarfile.LNKTYPE),
        ),
        target,
    )
    assert (target / "again").read_bytes() == (target / "same").read_bytes() == b"#!"
    assert (target / "bin/up/er/data").stat().st_size == 100_000
    assert (target / "bin/run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o4755, 0o777, 0o000])
def test_nothing_is_setuid_or_open_to_all_or_closed_to_us(target: Path, mode: int) -> None:
    unpack(archive(member("f", b"x", mode=mode)), target)
    assert (target / "f").stat().st_mode & 0o7022 == 0
    assert (target / "f").stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize(
    "members,said",
    [
        ([member("../outside", b"x")], "leads out"),
        ([member("/etc/x", b"x")], "leads out"),
        ([member("a/../../outside", b"x")], "leads out"),
        ([link("l", "/etc")], "leads out"),
        ([link("l", "../outside")], "leads out"),
        ([link("a/l", "../../outside")], "leads out"),
        ([link("l", ".."), member("l/outside", b"x")], "leads out"),
        ([link("l", "d"), member("d/x", b""), member("l/y", b"x")], "below a link"),
        ([link("p/q/up", "../.."), link("out", "p/q/up/.."), member("out/evil/file")], "below a link"),
        ([link("h", "../outside", tarfile.LNKTYPE)], "leads out"),
        ([link("h", "nothing", tarfile.LNKTYPE)], "hard link"),
        ([member("d/x"), link("l", "d/x"), link("h", "l", tarfile.LNKTYPE)], "hard link"),
        ([member("p", type=tarfile.FIFOTYPE)], "no file, folder or link"),
        ([member("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], "no file, folder or link"),
    ],
)
def test_nothing_leads_out_of_the_folder(target: Path, members: list[tuple[tarfile.TarInfo, bytes]], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        unpack(archive(*members), target)
    assert (target.parent / "outside").read_text() == "untouched"
    assert sorted(path.name for path in target.parent.iterdir()) == ["outside", "sources"]


def test_a_link_that_is_replaced_by_a_file_is_not_followed(target: Path) -> None:
    unpack(archive(member("real", b"old"), link("l", "real"), member("l", b"new")), target)
    assert (target / "real").read_bytes() == b"old"
    assert (target / "l").read_bytes() == b"new"


def test_a_bomb_is_stopped_before_it_is_written(target: Path) -> None:
    with pytest.raises(Invalid, match="over 1000 bytes"):
        unpack(archive(member("small", b"x" * 600), member("big", b"x" * 600)), target, max_size=1000)
    assert not (target / "big").exists()


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00garbage"])
def test_what_is_no_archive_is_refused(target: Path, content: bytes) -> None:
    with pytest.raises(Invalid, match="no gzipped tar archive"):
        unpack(io.BytesIO(content), target)


def test_an_archive_that_was_cut_short_is_refused(target: Path) -> None:
    whole = archive(member("f", bytes(range(256)) * 1000)).getvalue()
    with pytest.raises(Invalid, match="no gzipped tar archive"):
        unpack(io.BytesIO(whole[: len(whole) // 2]), target)
