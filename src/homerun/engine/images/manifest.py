"""Reading manifests and image configurations: JSON that strangers wrote, so nothing in it is taken for granted.

Pure functions. Whatever is wrong becomes a Flaw that names the place in the document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from homerun.engine.base import Image

MAX_LAYERS = 127
"""As in Docker: more lower directories than this cannot be handed to the kernel in one mount."""

MAX_DOCUMENT = 4 << 20
"""In bytes, as registries' clients have it."""

Json = Mapping[str, Any]


class Flaw(Exception):
    """Why an image cannot be used: the end of a sentence that starts with the image's name."""


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def parse(content: bytes, what: str) -> Json:
    if len(content) > MAX_DOCUMENT:
        raise Flaw(f"its {what} is larger than {MAX_DOCUMENT >> 20} MiB. Leave out what is not needed to run it")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Flaw(f"its {what} is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise Flaw(f"its {what} is not a JSON object")
    return document


def is_list(manifest: Json) -> bool:
    return "manifests" in manifest


def choose(manifest: Json, architecture: str) -> str:
    """The digest of the image for linux/`architecture` in a multi-architecture list."""
    offered = []
    for entry in _objects(manifest, "manifests"):
        platform = entry.get("platform")
        if not isinstance(platform, dict):
            continue
        offered.append(f"{platform.get('os')}/{platform.get('architecture')}")
        if offered[-1] == f"linux/{architecture}":
            return _string(entry, "digest")
    raise Flaw(
        f"it is built for {', '.join(sorted(set(offered))) or 'nothing'} and this machine runs linux/{architecture}. "
        f"Build it with --platform linux/{architecture}"
    )


def check_layers(manifest: Json) -> None:
    """An image of more layers than the kernel mounts is refused before anything of it is fetched."""
    layers = manifest.get("layers", manifest.get("fsLayers"))
    if not isinstance(layers, list):
        raise Flaw("its manifest has no list of layers")
    if len(layers) > MAX_LAYERS:
        raise Flaw(f"it has {len(layers)} layers, and at most {MAX_LAYERS} are possible. Build it --squash'ed")


def check_platform(config: Json, architecture: str) -> None:
    found = f"{config.get('os', '')}/{config.get('architecture', '')}"
    if found != f"linux/{architecture}":
        raise Flaw(
            f"it is built for {found} and this machine runs linux/{architecture}. "
            f"Build it with --platform linux/{architecture}"
        )


def config_digest(manifest: Json) -> str:
    config = manifest.get("config")
    if not isinstance(config, dict):
        raise Flaw("its manifest names no configuration")
    return _string(config, "digest")


def diff_ids(config: Json) -> list[str]:
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict):
        raise Flaw("rootfs in its configuration is not an object")
    return list(_strings(rootfs, "diff_ids"))


def image_of(reference: str, digest: str, config: Json) -> Image:
    settings = config.get("config") or {}
    if not isinstance(settings, dict):
        raise Flaw("config in its configuration is not an object")
    return Image(
        reference=reference,
        digest=digest,
        entrypoint=_strings(settings, "Entrypoint"),
        cmd=_strings(settings, "Cmd"),
        env=_environment(settings),
        working_dir=_string(settings, "WorkingDir") or "/",
        user=_string(settings, "User"),
    )


def _environment(settings: Json) -> tuple[str, ...]:
    env = _strings(settings, "Env")
    for entry in env:
        if not entry.partition("=")[0] or "=" not in entry:
            raise Flaw(f"Env in its configuration holds {entry!r}, which is not NAME=VALUE")
    return env


def _string(document: Json, key: str) -> str:
    value = document.get(key) or ""
    if not isinstance(value, str) or "\0" in value:
        raise Flaw(f"{key} in its configuration is not a string")
    return value


def _strings(document: Json, key: str) -> tuple[str, ...]:
    value = document.get(key) or []
    if not isinstance(value, list) or any(not isinstance(item, str) or "\0" in item for item in value):
        raise Flaw(f"{key} in its configuration is not a list of strings")
    return tuple(value)


def _objects(document: Json, key: str) -> list[Json]:
    value = document.get(key)
    if not isinstance(value, list) or any(not isinstance(item, dict) for item in value):
        raise Flaw(f"{key} in its manifest is not a list of objects")
    return value
