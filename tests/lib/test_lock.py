import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homerun.lib import lock


@pytest.fixture
def held(tmp_path: Path) -> Iterator[int]:
    file = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    assert lock.take(file, tries=1)
    yield file
    os.close(file)


@pytest.fixture
def second(tmp_path: Path) -> Iterator[int]:
    file = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield file
    os.close(file)


def waits(file: int, after: int) -> Callable[[float], None]:
    """In place of time.sleep: each takes no time, and at number `after` the holder lets go."""
    left = iter(range(after - 1, -1, -1))

    def sleep(seconds: float) -> None:
        if next(left, None) == 0:
            fcntl.flock(file, fcntl.LOCK_UN)

    return sleep


def test_who_lets_go_a_moment_later_is_waited_for(held: int, second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", waits(held, after=199))
    assert lock.take(second, tries=200)


def test_who_keeps_it_is_waited_for_no_longer(held: int, second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", waits(held, after=200))
    assert not lock.take(second, tries=200)
