"""gRPC messages to what REST would have carried, and JSON answers back to messages: google.api.http, in our direction.

In proto3 a scalar of value zero is absent, as it is in the JSON that REST clients send.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2  # noqa: F401 - so that errors of operations can be written as messages

from homerun.lib.errors import Invalid
from homerun.wire.catalog import Rpc
from homerun.wire.discovery import Method
from homerun.wire.rest import Match, Router

_NAME = re.compile(r"\{\+(\w+)\}")
_VARIABLE = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Request:
    """The published method that is meant, and its request as REST has it."""

    method: Method
    variables: Mapping[str, str]
    query: Mapping[str, str]
    body: Any


def request(rpc: Rpc, data: bytes) -> Request:
    """`rpc` must have methods. Raises Invalid for what is no such message, or names no such resource."""
    message = _parsed(rpc, data)
    fields = _json(message)
    if rpc.body == "*":
        match = _resource(rpc, fields, {})
        return Request(match.target, match.variables, {}, fields)
    body_field = rpc.request.DESCRIPTOR.fields_by_name.get(rpc.body)
    body = fields.pop(body_field.json_name, {}) if body_field is not None else {}
    match = _resource(rpc, fields, body)
    return Request(match.target, match.variables, dict(_flat(fields)), body)


def answer(rpc: Rpc, value: Any) -> bytes:
    """JSON as the message that `rpc` answers with; fields that Google's package does not know are left out."""
    message = json_format.ParseDict(value, rpc.response(), ignore_unknown_fields=True)
    return message.SerializeToString()


def _parsed(rpc: Rpc, data: bytes) -> Message:
    try:
        return rpc.request.FromString(data)
    except DecodeError:
        raise Invalid(f"the request is no valid {rpc.request.DESCRIPTOR.full_name}") from None


def _json(message: Message) -> dict[str, Any]:
    """Update masks are joined here: json_format refuses paths that are not snake_case, and we take both."""
    masks = {field: ",".join(mask.paths) for field, mask in message.ListFields() if isinstance(mask, FieldMask)}
    for field in masks:
        message.ClearField(field.name)
    try:
        fields = json_format.MessageToDict(message)
    except (json_format.Error, ValueError, TypeError, OverflowError) as error:
        raise Invalid(f"a field of the request has no valid value: {error}") from None
    return fields | {field.json_name: mask for field, mask in masks.items()}


def _resource(rpc: Rpc, fields: dict[str, Any], body: dict[str, Any]) -> Match[Method]:
    """Which of the methods is meant: that whose path has the form of the name. Takes the name out of `fields`."""
    method = rpc.methods[0]
    named = _NAME.findall(method.short)
    if not named:
        return Match(method, {})
    field = named[0]
    inside = field not in {each.json_name for each in rpc.request.DESCRIPTOR.fields}
    name = body.get(field, "") if inside else fields.pop(field, "")
    path = _NAME.sub(lambda _: quote(name, safe="/"), method.short, count=1)
    match = _router(rpc.methods).match(method.verb, path)
    if match is None:
        where = f"{rpc.body}.{field}" if inside else field
        forms = " or ".join(_form(m) for m in rpc.methods)
        raise Invalid.field(where, f"must have the form {forms}, and is {name!r}")
    return match


def _form(method: Method) -> str:
    """`v2/projects/{projectsId}/locations/{locationsId}/services:verb` -> `projects/*/locations/*`"""
    before, after = _NAME.split(method.short)[::2]
    return _VARIABLE.sub("*", method.path.removeprefix(before).removesuffix(after))


@cache
def _router(methods: tuple[Method, ...]) -> Router[Method]:
    router: Router[Method] = Router()
    for method in methods:
        router.add(method.verb, method.path, method)
    return router


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Query parameters: `{"options": {"requestedPolicyVersion": 3}}` -> `options.requestedPolicyVersion=3`."""
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value).lower() if isinstance(value, bool) else str(value)
