import errno
import os
from pathlib import Path

import pytest

from homerun.daemon import starts
from homerun.lib.errors import FailedPrecondition


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_only_the_process_that_said_so_is_up(state: Path) -> None:
    assert not starts.is_up(state, "control", os.getpid())
    starts.came_up(state, "control")
    assert starts.is_up(state, "control", os.getpid())
    assert not starts.is_up(state, "control", 1)
    assert not starts.is_up(state, "router", os.getpid())
    starts.begin(state, "control")
    assert not starts.is_up(state, "control", os.getpid())


def test_a_reason_is_kept_without_its_traceback_which_is_beside_it(state: Path) -> None:
    try:
        raise ValueError("no such\ncolumn")
    except ValueError as error:
        assert starts.failed(state, "control", error) == "ValueError: no such column"
    assert starts.reason(state, "control", 1) == "ValueError: no such column"
    assert "Traceback" in starts.details(state, "control").read_text()
    starts.begin(state, "control")
    assert not starts.details(state, "control").exists()


@pytest.mark.parametrize(("code", "how"), [(-11, "signal 11"), (7, "exit code 7")])
def test_who_left_no_word_is_known_by_how_it_ended(state: Path, code: int, how: str) -> None:
    assert how in starts.reason(state, "control", code)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FailedPrecondition("the database is too new: update homerun"), "the database is too new: update homerun"),
        (ModuleNotFoundError("No module named 'acme'", name="acme"), "'acme' is missing: run scripts/setup"),
        (ModuleNotFoundError("No module", name="homerun.x"), "ModuleNotFoundError: No module"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk of the state folder is full: free some"),
        (MemoryError(), "there is no memory left"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_reason_says_what_would_be_right_where_that_is_known(error: Exception, said: str) -> None:
    assert said in starts.explain(error)


def test_a_reason_is_told_even_where_it_cannot_be_written(tmp_path: Path) -> None:
    assert starts.failed(tmp_path / "nowhere", "control", ValueError("x")) == "ValueError: x"
