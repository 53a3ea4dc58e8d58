"""Enum values by number: client libraries over REST send numbers (`$alt=json;enum-encoding=int`), we store names.

Discovery documents list names only; the numbers come from the descriptors in Google's packages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import EnumDescriptor


def enum_name(names: Sequence[str], number: int) -> str | None:
    """The name of `number` in the enum that has these names; None if the published package knows no such number."""
    descriptor = _enums().get(names[0])
    found = descriptor.values_by_number.get(number) if descriptor is not None else None
    return found.name if found is not None else None


@cache
def _enums() -> dict[str, EnumDescriptor]:
    """Enums by the name of their first value, which mostly carries the enum's own name; of namesakes, Cloud Run's."""
    packages = ("google.cloud.scheduler_v1", "google.cloud.run_v2")
    types = [each for package in packages for each in vars(_messages(package)).values()]
    files = {t.pb().DESCRIPTOR.file.name: t.pb().DESCRIPTOR.file for t in types if hasattr(t, "pb")}
    pool = files[_SERVICE].pool
    found: dict[str, EnumDescriptor] = {}
    for file in (pool.FindFileByName("google/api/launch_stage.proto"), *files.values()):
        for enum in (*file.enum_types_by_name.values(), *_nested(file.message_types_by_name.values())):
            found[enum.values[0].name] = enum
    return found


def _messages(package: str) -> ModuleType:
    """`package.types` without running `package` itself, whose clients take five times as long to import."""
    if package in sys.modules:
        return import_module(f"{package}.types")
    spec = find_spec(package)
    assert spec is not None, package
    sys.modules[package] = module_from_spec(spec)
    try:
        return import_module(f"{package}.types")
    finally:
        del sys.modules[package]  # who wants the clients later gets them


_SERVICE = "google/cloud/run_v2/types/service.proto"


def _nested(messages: Any) -> Iterator[EnumDescriptor]:
    for message in messages:
        yield from message.enum_types
        yield from _nested(message.nested_types)
