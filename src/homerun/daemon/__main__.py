"""`python -m homerun.daemon up|doctor [options]`; `control` and `router` are the processes that `up` starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Sequence

import uvloop

from homerun.daemon import options, starts
from homerun.daemon.processes import EXIT_FATAL, Processes
from homerun.lib.errors import HomerunError

_CHILDREN = ("control", "router")
"""What `up` starts, and starts again."""
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def main(arguments: Sequence[str]) -> int:
    role, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    logging.basicConfig(level=os.environ.get("HOMERUN_LOG", "INFO"), format=f"%(asctime)s {role} %(message)s")
    try:
        match role:
            case "up":
                return Processes(options.parse(rest)).run()
            case "control":
                from homerun.daemon import control

                uvloop.run(control.run(options.parse(rest[2:]), *_listeners(rest[0])))
            case "router":
                from homerun.daemon import router

                uvloop.run(router.run(options.parse(rest[2:]), int(rest[1]), *_listeners(rest[0])))
            case "doctor":
                from homerun.daemon import doctor

                return asyncio.run(doctor.run(rest))
            case "trust":
                from homerun.daemon import trust

                return trust.run(rest)
            case "token":
                from homerun.daemon import keys

                return keys.run(rest)
            case _:
                print(f"homerun: {role!r} is no role: up, doctor", file=sys.stderr)
                return 2
    except Exception as error:
        fatal = isinstance(error, HomerunError) or starts.lacks_package(error)
        if not fatal and role not in _CHILDREN:
            raise
        reason = _failed(role, rest, error)
        if os.environ.get(starts.DEBUG):
            raise
        print(f"homerun: {reason}", file=sys.stderr)
        # What an update lacks, say, it lacks at the next start as well.
        return EXIT_FATAL if fatal and role not in ("token", "trust") else 1
    return 0


def _failed(role: str, rest: Sequence[str], error: Exception) -> str:
    """Why; `up` and its users can read it later."""
    if role in _CHILDREN:
        with contextlib.suppress(HomerunError, IndexError):
            return starts.failed(options.parse(rest[2:]).state, role, error)
    return starts.explain(error)


def with_sbin(path: str) -> str:
    """Root's programs as well: nft and runc are in /usr/sbin, which Debian's `su` without a dash leaves out of PATH."""
    folders = path.split(os.pathsep)
    return os.pathsep.join([*folders, *(each for each in _SBIN if each not in folders)])


def _listeners(numbers: str) -> list[socket.socket]:
    """The sockets that `up` listens on and has passed down; not further: containers outlive us and would hold them."""
    descriptors = [int(number) for number in numbers.split(",")]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


if __name__ == "__main__":
    os.environ["PATH"] = with_sbin(os.environ.get("PATH", os.defpath))
    sys.exit(main(sys.argv[1:]))
