from __future__ import annotations

import os
from pathlib import Path

import pytest

from homerun.store.secret_file import read_or_make, replace


def test_a_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert read_or_make(path, lambda: b"one") == b"one"
    assert read_or_make(path, lambda: b"two") == b"one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_when_it_cannot_be_made_nothing_is_left(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise ValueError("no entropy")

    with pytest.raises(ValueError):
        read_or_make(tmp_path / "secret", fail)
    assert os.listdir(tmp_path) == []


def test_a_draft_that_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".secret.{os.getpid()}").write_bytes(b"ha")
    assert read_or_make(tmp_path / "secret", lambda: b"whole") == b"whole"
    assert os.listdir(tmp_path) == ["secret"]


def test_of_several_who_make_it_one_wins_and_all_agree(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def slow() -> bytes:
        # Both have seen that there is none; the other one is quicker.
        path.write_bytes(b"the other's")
        return b"mine"

    assert read_or_make(path, slow) == b"the other's"


def test_a_secret_is_replaced_as_a_whole_and_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o644)
    (tmp_path / f".secret.{os.getpid()}").write_bytes(b"left by a killed process")
    replace(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert os.listdir(tmp_path) == ["secret"]
