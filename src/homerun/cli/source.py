"""A source folder as a gzipped tar, without what `.gcloudignore` or `.dockerignore` names.

The two files differ: a pattern of Docker is anchored at the root, one of gcloud (as of git) without a slash matches at
any depth. Both know `*`, `?`, `**` and `!`; the last pattern that matches decides.
"""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from homerun.cli.errors import CommandFailed

DOCKERFILES = ("Containerfile", "Dockerfile")
IN_MEMORY = 8 << 20


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    excludes: bool
    folders_only: bool


class Ignore:
    """What an ignore file leaves out. Paths are relative to the folder, with `/`."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules

    @classmethod
    def of(cls, folder: Path) -> Ignore:
        if (folder / ".gcloudignore").is_file():
            return cls(_rules(folder, ".gcloudignore", anchored=False))
        return cls(_rules(folder, ".dockerignore", anchored=True))

    @property
    def has_exceptions(self) -> bool:
        return any(not rule.excludes for rule in self._rules)

    def excludes(self, path: str, is_folder: bool) -> bool:
        """A rule also covers all that is below what it matches."""
        excluded = path == ".git" or path.startswith(".git/")
        parts = path.split("/")
        for rule in self._rules:
            for depth in range(1, len(parts) + 1):
                below = depth < len(parts)
                if rule.folders_only and not below and not is_folder:
                    continue
                if rule.pattern.fullmatch("/".join(parts[:depth])):
                    excluded = rule.excludes
                    break
        return excluded


def _rules(folder: Path, name: str, *, anchored: bool) -> list[Rule]:
    file = folder / name
    if not file.is_file():
        return []
    rules: list[Rule] = []
    for raw in file.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if line.startswith("#!include:"):
            rules += _rules(folder, line.removeprefix("#!include:"), anchored=anchored)
        elif line and not line.startswith("#"):
            rules.append(_rule(line, anchored))
    return rules


def _rule(line: str, anchored: bool) -> Rule:
    excludes = not line.startswith("!")
    pattern = line.removeprefix("!").strip()
    folders_only = pattern.endswith("/") and not anchored
    pattern = pattern.rstrip("/")
    at_root = anchored or "/" in pattern
    text = _translate(pattern.lstrip("/").removeprefix("./"))
    return Rule(re.compile(text if at_root else f"(?:.*/)?{text}"), excludes, folders_only)


def _translate(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(part, re.escape(part)) for part in parts)


def files(folder: Path) -> Iterator[Path]:
    """What belongs to the sources, folders before what is in them, in a fixed order."""
    ignore = Ignore.of(folder)
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        kept = []
        for name in sorted(folders):
            relative = (here / name).relative_to(folder).as_posix()
            excluded = ignore.excludes(relative, is_folder=True)
            if not excluded:
                yield here / name
            # An excluded folder may still hold what a later `!pattern` takes back.
            if (not excluded or ignore.has_exceptions) and not (here / name).is_symlink() and relative != ".git":
                kept.append(name)
        folders[:] = kept
        for name in sorted(names):
            relative = (here / name).relative_to(folder).as_posix()
            if relative in DOCKERFILES or not ignore.excludes(relative, is_folder=False):
                yield here / name


def pack(folder: Path) -> tuple[IO[bytes], int]:
    """The archive, rewound, and its size in bytes. Owners are left behind: the build gives its own."""
    if not any((folder / name).is_file() for name in DOCKERFILES):
        raise CommandFailed(
            f"There is no Dockerfile in {folder}: homerun builds a source folder with the one that it has"
        )
    packed = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
    try:
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=3) as archive:
            for file in files(folder):
                archive.add(file, file.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)
    except OSError as error:
        raise CommandFailed(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    size = packed.tell()
    packed.seek(0)
    return packed, size


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Sockets, pipes and devices are no sources."""
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
