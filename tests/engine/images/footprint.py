"""What an import could leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class Footprint:
    """Call it: the names of files that belong to imports, relative to the store's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self) -> set[str]:
        return set(self._left())

    def _left(self) -> Iterator[str]:
        """All but the storage's own: locks, indexes and the folders that it makes the first time that it is used."""
        for path in self.root.rglob("*"):
            name = str(path.relative_to(self.root))
            if name.startswith("run/") or path.suffix in (".lock", ".json") or name in ("lock", "scratch"):
                continue
            is_layer = path.parent.match("storage/overlay") and path.name not in ("l", ".has-mount-program")
            is_content = path.is_file() and path.name != ".has-mount-program"
            if is_layer or is_content or path.is_symlink() or name.startswith("scratch/"):
                yield name
