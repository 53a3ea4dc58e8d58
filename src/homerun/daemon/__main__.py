"""`python -m homerun.daemon up|doctor [options]`; `control` and `router` are the processes that `up` starts."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Sequence

import uvloop

from homerun.daemon import options
from homerun.daemon.processes import EXIT_FATAL, Processes
from homerun.lib.errors import HomerunError

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
    except HomerunError as error:
        print(f"homerun: {error.message}", file=sys.stderr)
        return EXIT_FATAL if role not in ("token", "trust") else 1
    except ModuleNotFoundError as error:
        # An update brought a new dependency. Starting again would end the same way.
        if error.name is None or error.name.partition(".")[0] == "homerun":
            raise
        print(
            f"homerun: the Python package that provides {error.name!r} is missing: run scripts/setup, or pip install "
            "homerun once more",
            file=sys.stderr,
        )
        return EXIT_FATAL if role not in ("token", "trust") else 1
    return 0


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
