import io
import os
import tarfile
from pathlib import Path

import pytest

from homerun.cli.errors import CommandFailed
from homerun.cli.source import files, pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Dockerfile", "app.py", "data/big.csv", "data/small.csv", "a/cache/x.pyc", "a/b.py", ".git/HEAD"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {f.relative_to(folder).as_posix() for f in files(folder) if not f.is_dir()}


EVERYTHING = {"Dockerfile", "app.py", "data/big.csv", "data/small.csv", "a/cache/x.pyc", "a/b.py"}


def test_everything_but_git_belongs_to_the_sources(folder: Path) -> None:
    assert names(folder) == EVERYTHING


@pytest.mark.parametrize(
    "patterns,without",
    [
        ("data", {"data/big.csv", "data/small.csv"}),
        ("data/*.csv\n!data/small.csv", {"data/big.csv"}),
        ("data\n!data/small.csv", {"data/big.csv"}),
        ("**/*.pyc", {"a/cache/x.pyc"}),
        ("*.pyc", set()),
        ("a/**", {"a/cache/x.pyc", "a/b.py"}),
        ("# comment\n\n/app.py", {"app.py"}),
        ("a/?.py", {"a/b.py"}),
        ("*", EVERYTHING - {"Dockerfile"}),
    ],
)
def test_dockerignore_is_anchored_at_the_root(folder: Path, patterns: str, without: set[str]) -> None:
    (folder / ".dockerignore").write_text(patterns)
    assert names(folder) - {".dockerignore"} == EVERYTHING - without


@pytest.mark.parametrize(
    "patterns,without",
    [
        ("*.pyc", {"a/cache/x.pyc"}),
        ("cache/", {"a/cache/x.pyc"}),
        ("b.py/", set()),
        ("/b.py", set()),
        ("#!include:.gitignore", {"a/b.py"}),
    ],
)
def test_gcloudignore_matches_at_any_depth_and_wins(folder: Path, patterns: str, without: set[str]) -> None:
    (folder / ".dockerignore").write_text("app.py")
    (folder / ".gitignore").write_text("b.py")
    (folder / ".gcloudignore").write_text(patterns)
    hidden = {".dockerignore", ".gitignore", ".gcloudignore"}
    assert names(folder) - hidden == EVERYTHING - without


def unpacked(folder: Path) -> dict[str, tarfile.TarInfo]:
    packed, size = pack(folder)
    with packed:
        content = packed.read()
    assert len(content) == size
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {member.name: member for member in archive}


def test_the_archive_keeps_modes_and_links_and_drops_owners(folder: Path) -> None:
    (folder / "app.py").chmod(0o755)
    (folder / "link").symlink_to("app.py")
    os.mkfifo(folder / "pipe")
    members = unpacked(folder)
    assert members["app.py"].mode & 0o777 == 0o755
    assert members["link"].linkname == "app.py"
    assert "pipe" not in members
    assert {(m.uid, m.gid, m.uname) for m in members.values()} == {(0, 0, "")}


def test_a_link_to_a_folder_is_a_link_not_its_content(folder: Path) -> None:
    (folder / "there").symlink_to("data")
    members = unpacked(folder)
    assert members["there"].issym()
    assert "there/big.csv" not in members


def test_a_folder_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no Dockerfile in"):
        pack(tmp_path)
