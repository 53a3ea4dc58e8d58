"""Who runs in the container: the image's USER, looked up in the image's own /etc/passwd and /etc/group.

Both files are hostile input: opened inside the root file system (no link leads out of it), read up to a limit. A user
that the image does not know runs as root, as on Cloud Run (contract §1.5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from homerun.engine.oci.kernel import open_in_root

_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class User:
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def look_up(root: int, wanted: str) -> User:
    """`wanted` is `user`, `user:group`, `uid` or `uid:gid`. `root`: descriptor of the root file system."""
    name, _, group = wanted.partition(":")
    accounts = [fields for fields in _table(root, "/etc/passwd", 7) if fields[2].isdecimal() and fields[3].isdecimal()]
    account = next((fields for fields in accounts if (name or "0") in (fields[0], fields[2])), None)
    if account is None and not name.isdecimal():
        return User(home=next((fields[5] for fields in accounts if fields[2] == "0"), "/root") if name else "/root")
    uid = int(account[2]) if account else int(name)
    home = account[5] if account else "/"
    groups = [fields for fields in _table(root, "/etc/group", 4) if fields[2].isdecimal()]
    if group:
        gid = next((int(fields[2]) for fields in groups if group in (fields[0], fields[2])), None)
        return User(uid, gid if gid is not None else int(group) if group.isdecimal() else 0, (), home or "/")
    if account is None:
        return User(uid, 0, (), home)
    member_of = tuple(sorted({int(fields[2]) for fields in groups if account[0] in fields[3].split(",")}))
    return User(uid, int(account[3]), member_of, home or "/")


def _table(root: int, path: str, columns: int) -> list[list[str]]:
    """Lines of a colon-separated file that have all columns; none when there is no such regular file."""
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    with open(fd, "rb") as file:
        text = file.read(_LIMIT).decode(errors="replace")
    rows = (line.split(":") for line in text.splitlines())
    return [row for row in rows if len(row) >= columns]
