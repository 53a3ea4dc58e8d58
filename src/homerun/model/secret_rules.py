"""The rules of secrets (Secret Manager API v1), paths below the secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from homerun.model.limits import AtMost, Range, Seconds, Text
from homerun.model.rules import HOMERUN, Rule, field

Json = Mapping[str, Any]

PAYLOAD_BYTES = 64 << 10
SOURCE = "Secret Manager"
"""Limits that stand in the reference of its API."""
SECRET_ID = Text(r"[A-Za-z0-9_-]{1,255}", "1 to 255 letters, digits, '-' and '_'")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_LABEL_KEY = re.compile(r"[^\W\dA-Z_][\w-]{0,62}")
_LABEL_VALUE = Text(r"[\w-]{0,63}", "at most 63 lowercase letters, digits, '-' and '_'")
_ANNOTATION_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?")
_ANNOTATIONS = 16 << 10


def _aliases(aliases: Json, owner: str) -> Iterator[tuple[str, str]]:
    for alias in aliases:
        if alias in ("latest", "NEW") or not _ALIAS.fullmatch(alias):
            yield (
                f"[{alias}]",
                "an alias has at most 63 letters, digits, '-' and '_', begins with a letter, and is not latest or NEW",
            )


def _label_keys(labels: Json, owner: str) -> Iterator[tuple[str, str]]:
    for key in labels:
        if not _LABEL_KEY.fullmatch(key) or key != key.lower():
            yield f"[{key}]", "the key must have at most 63 lowercase letters, digits, '-' and '_', a letter first"


def _annotation_keys(annotations: Json, owner: str) -> Iterator[tuple[str, str]]:
    for key in annotations:
        if not _ANNOTATION_KEY.fullmatch(key):
            yield f"[{key}]", "the key must have at most 63 letters, digits, '-', '_', '.' and '/', at its ends no sign"


def _annotation_size(annotations: Json, owner: str) -> Iterator[tuple[str, str]]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS:
        yield "", f"has {size} bytes in keys and values; at most {_ANNOTATIONS} are allowed"


def _one_end(secret: Json, owner: str) -> Iterator[tuple[str, str]]:
    if secret.get("ttl") and secret.get("expireTime"):
        yield "ttl", "must be left out when expireTime is given"


def _replication(replication: Json, owner: str) -> Iterator[tuple[str, str]]:
    if len(replication) != 1:
        yield "", "must have one of automatic and userManaged"
    elif "userManaged" in replication and not replication["userManaged"].get("replicas"):
        yield "userManaged.replicas", "is required: name a location"


def _absent(why: str) -> Any:
    def wrong(value: Any, owner: str) -> Iterator[tuple[str, str]]:
        if value:
            yield "", why

    return wrong


UNSUPPORTED = {
    "topics": "messages about secrets are not sent to Pub/Sub: leave it out",
    "rotation": "secrets are not rotated by themselves, and no reminders are sent: leave it out",
    "versionDestroyTtl": "versions are destroyed at once: leave it out",
    "secretType": "payloads are not looked at: leave it out",
    "tags": "resource tags are not supported: use labels",
}

SECRET = (
    field("labels", AtMost(64, "labels"), SOURCE),
    Rule("labels[*]", "the key: a lowercase letter, then those, digits, '-', '_'", SOURCE, _label_keys, at="labels"),
    field("labels[*]", _LABEL_VALUE, SOURCE),
    Rule("annotations[*]", "the key: at most 63 letters, digits, '-_./'", SOURCE, _annotation_keys, at="annotations"),
    Rule("annotations", f"at most {_ANNOTATIONS:,} bytes together", SOURCE, _annotation_size),
    field("versionAliases", AtMost(50, "aliases"), SOURCE),
    Rule("versionAliases[*]", "the alias: not latest, nor NEW", SOURCE, _aliases, at="versionAliases"),
    field("ttl", Seconds(Range(60, 100 * 365 * 86400, " seconds")), SOURCE),
    Rule("ttl", "not beside expireTime", SOURCE, _one_end, at=""),
    Rule("replication", "automatic or userManaged; it means nothing here", SOURCE, _replication),
    *(Rule(path, "none", HOMERUN, _absent(why)) for path, why in UNSUPPORTED.items()),
)
