"""Container images made in plain Python: no registry, no builder, exact control over every byte of the layers.

    path = make_image(tmp_path / "hello.tar", [app_layer()], cmd=["/app", "serve"])
    image = await engine.pull(f"oci-archive:{path}")

A layer is a mapping of path -> content: bytes for an executable file, a str for a symlink's target, None for a folder,
or a ready TarInfo (with its bytes) for everything odd.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

Entry = bytes | str | None | tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]
Files = Mapping[str, Entry]


def compile_app() -> Path:
    """The static binary of app.c."""
    return compile_c("app")


def compile_c(name: str, *flags: str) -> Path:
    """The static binary of a C source beside this file."""
    return compile_file(Path(__file__).with_name(f"{name}.c"), *flags)


@functools.cache
def compile_file(source: Path, *flags: str) -> Path:
    """Its static binary, built once per content of the source."""
    name = source.stem
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    binary = Path(tempfile.gettempdir()) / f"homerun-test-{name}-{os.getuid()}-{digest}"
    if not binary.exists():
        fresh = binary.with_name(f"{binary.name}.{os.getpid()}")
        command = ["gcc", "-O2", "-Wall", "-static", "-s", "-pthread", *flags, "-o", str(fresh), str(source)]
        subprocess.run(command, check=True)
        fresh.rename(binary)
    return binary


def app_layer(path: str = "/app") -> Files:
    """A layer with nothing but the compiled app and an empty /tmp."""
    return {path: compile_app().read_bytes(), "/tmp": None}


def make_layer(files: Files) -> bytes:
    """An uncompressed tar; the same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, entry in files.items():
            info, content = _member(path.lstrip("/"), entry)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _member(path: str, entry: Entry) -> tuple[tarfile.TarInfo, bytes]:
    if isinstance(entry, tuple):
        return entry
    if isinstance(entry, tarfile.TarInfo):
        return entry, b""
    info = tarfile.TarInfo(path)
    info.mode = 0o755
    if entry is None:
        info.type = tarfile.DIRTYPE
        return info, b""
    if isinstance(entry, str):
        info.type, info.linkname = tarfile.SYMTYPE, entry
        return info, b""
    info.size = len(entry)
    return info, entry


def make_config(
    layers: Sequence[bytes],
    *,
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Sequence[str] = (),
    user: str = "",
    working_dir: str = "",
    arch: str = "amd64",
    os: str = "linux",
) -> bytes:
    """The image configuration (same shape for OCI and Docker)."""
    lists = {"Entrypoint": list(entrypoint), "Cmd": list(cmd), "Env": list(env)}
    wanted = {**lists, "User": user, "WorkingDir": working_dir}
    config = {key: value for key, value in wanted.items() if value}
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    document = {"architecture": arch, "os": os, "config": config, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    return json.dumps(document).encode()


def make_image(
    path: Path,
    layers: Sequence[Files | bytes],
    *,
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Sequence[str] = (),
    user: str = "",
    working_dir: str = "",
    arch: str = "amd64",
    os: str = "linux",
    compress: bool = True,
) -> Path:
    """Write an OCI archive (`oci-archive:PATH`). Layers, lowest first, are files or ready tars."""
    tars = [layer if isinstance(layer, bytes) else make_layer(layer) for layer in layers]
    config = make_config(
        tars, entrypoint=entrypoint, cmd=cmd, env=env, user=user, working_dir=working_dir, arch=arch, os=os
    )
    blobs: dict[str, bytes] = {}

    def descriptor(media: str, content: bytes, **more: object) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content), **more}

    kind = "application/vnd.oci.image.layer.v1.tar"
    packed = [gzip.compress(tar, 1, mtime=0) for tar in tars] if compress else tars
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor(kind + "+gzip" if compress else kind, content) for content in packed],
    }
    platform = {"architecture": arch, "os": os}
    media = "application/vnd.oci.image.manifest.v1+json"
    index = {"schemaVersion": 2, "manifests": [descriptor(media, json.dumps(manifest).encode(), platform=platform)]}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}
    path.write_bytes(make_layer(files))
    return path


def make_docker_archive(
    path: Path,
    layers: Sequence[Files | bytes],
    *,
    name: str = "test:latest",
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Sequence[str] = (),
    user: str = "",
    working_dir: str = "",
    arch: str = "amd64",
    os: str = "linux",
) -> Path:
    """Write what `docker save` writes (`docker-archive:PATH`)."""
    tars = [layer if isinstance(layer, bytes) else make_layer(layer) for layer in layers]
    config = make_config(
        tars, entrypoint=entrypoint, cmd=cmd, env=env, user=user, working_dir=working_dir, arch=arch, os=os
    )
    digest = hashlib.sha256(config).hexdigest()
    files: dict[str, Entry] = {f"{digest}.json": config}
    names = []
    for tar in tars:
        names.append(f"{hashlib.sha256(tar).hexdigest()}.tar")
        files[names[-1]] = tar
    manifest = [{"Config": f"{digest}.json", "RepoTags": [name], "Layers": names}]
    path.write_bytes(make_layer({**files, "manifest.json": json.dumps(manifest).encode()}))
    return path
