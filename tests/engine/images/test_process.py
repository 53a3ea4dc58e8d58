"""Tools are run in a session of their own, and nothing of it survives them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.images.process import TimedOut, run

pytestmark = pytest.mark.sockets

CHILD = "sleep 1000 & echo $! > {pid}; "


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


async def test_output_and_exit_code_come_back() -> None:
    result = await run(["sh", "-c", "echo $A; echo no >&2; exit 3"], env={"A": "b"}, timeout=10)
    assert (result.code, result.stdout, result.cause, result.ok) == (3, b"b\n", "no", False)


async def test_a_limit_ends_the_tool_and_its_children(tmp_path: Path) -> None:
    with pytest.raises(TimedOut):
        await run(["sh", "-c", CHILD.format(pid=tmp_path / "pid") + "wait"], env={}, timeout=0.3)
    assert gone(int((tmp_path / "pid").read_text()))


async def test_children_do_not_outlive_a_tool_that_ends(tmp_path: Path) -> None:
    script = CHILD.format(pid=tmp_path / "pid").replace("&", ">/dev/null 2>&1 &", 1) + "exit 0"
    await run(["sh", "-c", script], env={}, timeout=10)
    assert gone(int((tmp_path / "pid").read_text()))


async def test_cancelling_at_any_moment_of_its_start_ends_the_tool(tmp_path: Path) -> None:
    for turns in range(15):
        file = tmp_path / str(turns)
        task = asyncio.ensure_future(run(["sh", "-c", f"echo $$ > {file}; sleep 1000"], env={}, timeout=10))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await task
        if file.exists() and (pid := file.read_text()):
            assert gone(int(pid))


async def test_an_inherited_descriptor_stays_open_in_the_tool() -> None:
    reading, writing = os.pipe()
    result = await run(
        ["python3", "-c", f"import os; os.write({writing}, b'through\\n')"], env={}, timeout=10, pass_fds=[writing]
    )
    assert result.ok and os.read(reading, 100) == b"through\n"
    os.close(reading)
    os.close(writing)


async def test_a_tool_that_is_not_installed_is_named_with_the_remedy() -> None:
    with pytest.raises(EngineUnavailable, match="apt-get install no-such-tool"):
        await run(["no-such-tool"], env={}, timeout=1)


async def test_cancelling_ends_the_tool(tmp_path: Path) -> None:
    task = asyncio.ensure_future(run(["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 1000"], env={}, timeout=10))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(int((tmp_path / "pid").read_text()))
