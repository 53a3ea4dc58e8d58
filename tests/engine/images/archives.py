"""OCI archives that lie: made well by tests/support/images.py, then changed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homerun.engine.images.manifest import digest_of

Blobs = dict[str, bytes]


def blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def edit(path: Path, change: Callable[[Blobs], None]) -> Path:
    """Change the files of an archive: name -> content."""
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
    change(files)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def manifest_of(files: Blobs) -> dict[str, Any]:
    index = json.loads(files["index.json"])
    document: dict[str, Any] = json.loads(files[blob(index["manifests"][0]["digest"])])
    return document


def put(files: Blobs, document: object) -> dict[str, Any]:
    """Add a JSON document as a blob; the rest of its descriptor."""
    content = json.dumps(document).encode()
    digest = digest_of(content)
    files[blob(digest)] = content
    return {"digest": digest, "size": len(content)}


def set_manifest(files: Blobs, document: object, **more: object) -> None:
    """Make this the archive's manifest, with right digests all the way up."""
    media = "application/vnd.oci.image.manifest.v1+json"
    files["index.json"] = json.dumps(
        {"schemaVersion": 2, "manifests": [{"mediaType": media, **put(files, document), **more}]}
    ).encode()


def set_config(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the configuration, with right digests all the way up."""

    def apply(files: Blobs) -> None:
        manifest = manifest_of(files)
        config = json.loads(files[blob(manifest["config"]["digest"])])
        change(config)
        manifest["config"].update(put(files, config))
        set_manifest(files, manifest)

    return edit(path, apply)


def merge(path: Path, *archives: Path) -> Path:
    """A multi-architecture image of several single ones."""
    blobs: Blobs = {}
    entries: list[Any] = []
    for archive in archives:
        with tarfile.open(archive) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
        entries += json.loads(files["index.json"])["manifests"]
        blobs.update(files)
    media = "application/vnd.oci.image.index.v1+json"
    inner = put(blobs, {"schemaVersion": 2, "mediaType": media, "manifests": entries})
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": media, **inner}]}).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in blobs.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path
