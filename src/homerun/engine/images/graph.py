"""What containers/storage keeps on disk, read directly: its files are JSON, replaced atomically, and reading them
costs microseconds where asking a tool costs a process.

    overlay-images/images.json            images: id, top layer, names of "big data" (manifests and the configuration)
    overlay-images/<id>/=<base64 of name> one big data item
    overlay-layers/layers.json            layers: id, parent, digest of the unpacked tar
    overlay/<layer id>/diff               the files of one layer

Nothing here writes.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """An image as stored. Several manifests may describe it: `digests` are those, `id` is that of its configuration.

    Without any, its import did not get that far.
    """

    id: str
    layer: str
    digest: str
    digests: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Layer:
    id: str
    parent: str
    diff_id: str
    size: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Size:
    """Of unpacked layers, on disk. `files`: folders too."""

    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Contents:
    """`foreign`: a file name is not UTF-8."""

    files: int
    foreign: bool


class Graph:
    def __init__(self, root: Path) -> None:
        self.root = root

    def images(self) -> list[Record]:
        return [_record(entry) for entry in self._read("overlay-images/images.json")]

    def layers(self) -> dict[str, Layer]:
        return {layer.id: layer for layer in map(_layer, self._read("overlay-layers/layers.json"))}

    def find(self, digest: str) -> Record | None:
        """The image with this manifest, the single one or the multi-architecture list that it came from."""
        return next((record for record in self.images() if digest in record.digests), None)

    def data(self, record: Record, name: str) -> bytes | None:
        """A big data item; None when the image was only half written."""
        encoded = "=" + base64.b64encode(name.encode()).decode()
        try:
            return (self.root / "overlay-images" / record.id / encoded).read_bytes()
        except OSError:
            return None

    def chain(self, top: str) -> list[Layer]:
        """From the topmost layer down. Short when a layer is missing."""
        layers = self.layers()
        found: list[Layer] = []
        while top in layers and len(found) <= len(layers):
            found.append(layers[top])
            top = layers[top].parent
        return found

    def unreferenced(self) -> list[str]:
        """Layers that belong to no image, children first: what a failed import leaves."""
        layers = self.layers()
        used: set[str] = set()
        for record in self.images():
            used.update(layer.id for layer in self.chain(record.layer))
        rest = {id: layer for id, layer in layers.items() if id not in used}
        return sorted(rest, key=lambda id: -_depth(id, layers))

    def diff(self, layer: str) -> Path:
        return self.root / "overlay" / layer / "diff"

    def stray(self) -> list[Path]:
        """Folders of layers that no index knows: what a killed import leaves, if anything."""
        known = set(self.layers()) | {"l"}
        return [
            Path(entry.path) for entry in _scan(self.root / "overlay") if entry.is_dir() and entry.name not in known
        ]

    def half_written(self) -> list[Path]:
        """Indexes that were being written, under names of their own, when the writer was killed."""
        return [path for path in self.root.glob("overlay-*/.tmp-*") if path.is_file()]

    def contents(self, layers: Iterable[Layer]) -> Contents:
        """By the journals of the unpacked tars: a line for each entry, `name_raw` for names that are not UTF-8."""
        files, foreign = 0, False
        for layer in layers:
            journal = self.root / "overlay-layers" / f"{layer.id}.tar-split.gz"
            with gzip.open(journal) as lines:
                for line in lines:
                    files += b'"type":1,' in line
                    foreign = foreign or b'"name_raw":' in line
        return Contents(files, foreign)

    def measure(self, known: Iterable[str]) -> Size:
        """Of what is on disk of layers that are not in `known`."""
        skip = {*known, "l"}
        sizes = [_size(entry.path) for entry in _scan(self.root / "overlay") if entry.name not in skip]
        return Size(sum(size.bytes for size in sizes), sum(size.files for size in sizes))

    def _read(self, name: str) -> list[dict[str, Any]]:
        try:
            entries: list[dict[str, Any]] = json.loads((self.root / name).read_bytes() or b"[]")
        except FileNotFoundError:
            return []
        return entries or []


def _record(entry: dict[str, Any]) -> Record:
    names = entry.get("big-data-names") or []
    digests = frozenset(name.removeprefix("manifest-") for name in names if name.startswith("manifest-sha256:"))
    return Record(
        entry["id"], entry.get("layer", ""), entry.get("digest", ""), digests, frozenset(entry.get("names") or [])
    )


def _layer(entry: dict[str, Any]) -> Layer:
    return Layer(
        id=entry["id"],
        parent=entry.get("parent", ""),
        diff_id=entry.get("diff-digest", ""),
        size=entry.get("diff-size", 0),
        complete=not (entry.get("flags") or {}).get("incomplete", False),
    )


def _depth(id: str, layers: dict[str, Layer]) -> int:
    depth = 0
    while id in layers and depth <= len(layers):
        id, depth = layers[id].parent, depth + 1
    return depth


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _size(path: str) -> Size:
    """Like `du`, of a tree that others are changing."""
    total = count = 0
    for parent, folders, files in os.walk(path):
        count += len(folders) + len(files)
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue
    return Size(total, count)
