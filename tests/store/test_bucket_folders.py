"""Buckets as folders."""

import os
from pathlib import Path

import pytest

from homerun.lib.errors import AlreadyExists, FailedPrecondition, NotFound
from homerun.store.bucket_folders import BucketFolders


def test_they_are_made_listed_and_deleted(tmp_path: Path) -> None:
    buckets = BucketFolders(tmp_path / "buckets")
    assert buckets.list() == []
    for name in ("b", "a"):
        buckets.create(name)
    assert buckets.list() == ["a", "b"]
    assert buckets.path("a") == tmp_path / "buckets/a" and buckets.path("a").is_dir()
    buckets.delete("a")
    assert buckets.list() == ["b"]


def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    buckets = BucketFolders(tmp_path / "buckets")
    buckets.create("a")
    (buckets.path("a") / "object").write_text("x")
    with pytest.raises(AlreadyExists, match="bucket a exists already"):
        buckets.create("a")
    with pytest.raises(FailedPrecondition, match=f"not empty: remove what is in {buckets.path('a')} first"):
        buckets.delete("a")
    with pytest.raises(NotFound, match="there is no bucket b"):
        buckets.delete("b")
    assert (buckets.path("a") / "object").read_text() == "x"


def test_only_folders_are_buckets(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("x")
    assert BucketFolders(tmp_path).list() == []


def test_whoever_is_in_a_container_may_write_and_change_what_others_wrote(tmp_path: Path) -> None:
    buckets = BucketFolders(tmp_path / "buckets")
    buckets.create("a")
    if not os.listxattr(buckets.path("a")):
        pytest.skip("this file system has no access control lists")
    before = os.umask(0o077)
    try:
        (buckets.path("a") / "folder").mkdir()
        (buckets.path("a") / "folder/object").write_text("x")
    finally:
        os.umask(before)
    modes = [(buckets.path("a") / path).stat().st_mode & 0o777 for path in (".", "folder", "folder/object")]
    assert modes == [0o777, 0o777, 0o666]
    assert (tmp_path / "buckets").stat().st_mode & 0o777 == 0o700, "for containers, not for users of the machine"
