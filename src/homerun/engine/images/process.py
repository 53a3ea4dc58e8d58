"""Runs a tool of the containers family and turns what it says into one sentence.

Each run is a session of its own, so that killing it reaches the children in which it unpacks.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homerun.engine.base import EngineUnavailable

_LOGRUS = re.compile(r'level=(?:fatal|error) msg=("(?:[^"\\]|\\.)*"|\S+)')
_PREFIXES = re.compile(r"^(?:Error parsing image name \"[^\"]*\": |Error reading manifest for image: )+")


@dataclass(frozen=True, slots=True)
class Result:
    """How a tool ended. `code` is negative for a signal."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def cause(self) -> str:
        """The tool's own last word."""
        if self.code < 0:
            return f"killed by signal {signal.Signals(-self.code).name}"
        found = _LOGRUS.findall(self.stderr)
        if not found:
            return self.stderr.strip().rpartition("\n")[2] or f"exit code {self.code}"
        return _PREFIXES.sub("", _unquote(found[-1]))


class TimedOut(Exception):
    pass


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float,
    pass_fds: Collection[int] = (),
) -> Result:
    """Raises TimedOut or EngineUnavailable. However this is left, the process and its children are gone."""
    program = which(command[0])
    process = await spawn(
        program,
        *command[1:],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
        pass_fds=tuple(pass_fds),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        raise TimedOut from None
    finally:
        await reap(process)
    return Result(process.returncode or 0, stdout, stderr.decode(errors="replace"))


async def spawn(*command: str, **options: Any) -> asyncio.subprocess.Process:
    """asyncio's, but for a cancellation in the middle of it: what has begun is ended then. asyncio itself would wait
    for ever for pipes that nobody connects any more."""
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await reap(await starting)
        raise


async def reap(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the session, and wait until it is gone: it holds locks and writes files until then."""
    for _ in range(200):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            break
        if process.returncode is None:
            await process.wait()
        else:
            await asyncio.sleep(0.005)
    await process.wait()


def private(program: str, *arguments: str) -> list[str]:
    """The command in a mount namespace of its own: what it mounts goes with it, even if it is killed."""
    return ["unshare", "--mount", "--propagation", "slave", which(program), *arguments]


def which(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise EngineUnavailable(f"{program} is not installed on this host. Remedy: apt-get install {program}")
    return found


def _unquote(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')
