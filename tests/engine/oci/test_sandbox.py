"""Private mount namespaces: seen from inside only, gone with the work."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.engine.oci.sandbox import Sandboxes, mount_root

pytestmark = pytest.mark.host


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    sandboxes = Sandboxes(threads=2)
    yield sandboxes
    sandboxes.close()


def layer(folder: Path, name: str, **files: str) -> Path:
    (folder / name).mkdir()
    for file, content in files.items():
        (folder / name / file).write_text(content)
    return folder / name


async def test_layers_lie_over_each_other_under_a_writable_one(sandboxes: Sandboxes, tmp_path: Path) -> None:
    point = tmp_path / "point"
    point.mkdir()
    layers = [layer(tmp_path, "top", a="top"), layer(tmp_path, "bottom", a="bottom", b="bottom")]

    def work() -> tuple[str, str]:
        root = mount_root(point, layers, 1 << 20)
        (root / "a").write_text((root / "a").read_text() + " changed")
        return (root / "a").read_text(), (root / "b").read_text()

    assert await sandboxes.run(work) == ("top changed", "bottom")
    assert (tmp_path / "top/a").read_text() == "top", "layers are shared: never written to"
    assert list(point.iterdir()) == [], "not seen from outside"


async def test_what_is_written_is_limited(sandboxes: Sandboxes, tmp_path: Path) -> None:
    point = tmp_path / "point"
    point.mkdir()
    layers = [layer(tmp_path, "only")]

    def work() -> int | None:
        root = mount_root(point, layers, 1 << 20)
        try:
            (root / "big").write_bytes(bytes(6 << 20))
        except OSError as error:
            return error.errno
        return None

    assert await sandboxes.run(work) == errno.ENOSPC


async def test_more_layers_than_fit_in_a_page_of_options(sandboxes: Sandboxes, tmp_path: Path) -> None:
    point = tmp_path / "point"
    point.mkdir()
    layers = [layer(tmp_path, f"{'long' * 20}{number}", **{f"f{number}": "x"}) for number in range(300)]
    assert sum(len(str(each)) for each in layers) > 4096
    assert len(await sandboxes.run(lambda: os.listdir(mount_root(point, layers, 1 << 20)))) == 300


async def test_nothing_stays_mounted_after_failure(sandboxes: Sandboxes, tmp_path: Path) -> None:
    point = tmp_path / "point"
    point.mkdir()
    with pytest.raises(OSError):
        await sandboxes.run(lambda: mount_root(point, [tmp_path / "absent"], 1 << 20))
    mounts = await sandboxes.run(lambda: Path("/proc/thread-self/mountinfo").read_text())
    assert str(point) not in mounts


async def test_a_mount_can_be_taken_away_from_instances(tmp_path: Path) -> None:
    point = Path("/sys/fs/cgroup/unified")
    if not os.path.ismount(point):
        pytest.skip("no hybrid host")
    sandboxes = Sandboxes(point, threads=1)

    def write() -> str:
        (point / "made").touch()
        return Path("/proc/thread-self/mountinfo").read_text()

    for _ in range(2):
        [line] = [line for line in (await sandboxes.run(write)).splitlines() if f" {point} " in line]
        assert " - tmpfs " in line, "in its place is memory of the instance's own"
    assert await sandboxes.run(lambda: os.listdir(point)) == []
    assert os.path.ismount(point)
    sandboxes.close()
