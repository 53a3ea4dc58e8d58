"""The table of RPCs: what Google's packages say about gRPC, joined with what its descriptions say about REST.

Nothing is copied by hand. A client's transport, given a channel that only listens, tells the path of each of its
methods, and its annotations the message types; services that come with a descriptor (operations, locations) are read
from it. An RPC and a REST method are the same thing under a naming convention: `Services/CreateService` is
`services.create`, `Services/UpdateService` is `services.patch`, `Jobs/GetIamPolicy` is `jobs.getIamPolicy`. Where one
service has all collections, the name of its RPC says which is meant: `SecretManagerService/AccessSecretVersion` is
`versions.access`, and `…/AddSecretVersion` is `secrets.addVersion`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import grpc
from google.cloud.location import locations_pb2
from google.longrunning import operations_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from homerun.wire.discovery import Method, description


@dataclass(frozen=True, slots=True)
class Rpc:
    """`path`: `/google.cloud.run.v2.Services/CreateService`. `body`: the field of the request that is the body in REST,
    `*` for all that is not in the path, or empty.

    `methods`: the same in REST: several where the parent may be of several kinds, none where REST has no such method.
    """

    path: str
    request: type[Message]
    response: type[Message]
    methods: tuple[Method, ...]
    body: str

    @property
    def name(self) -> str:
        """`google.cloud.run.v2.Services.CreateService`, as Google's documentation has it."""
        return self.path.removeprefix("/").replace("/", ".")


@cache
def catalog() -> Mapping[str, Rpc]:
    """All RPCs of Cloud Run, Secret Manager, Cloud Scheduler, Cloud Logging, and what every API has; by path."""
    # With their clients they take a second to import, and 40 MB: most need none of it.
    from google.cloud import run_v2, scheduler_v1, secretmanager_v1
    from google.cloud.logging_v2.services import logging_service_v2 as logging_v2

    found = {rpc.path: rpc for rpc in _of_client(logging_v2.LoggingServiceV2Client, "logging.v2")}
    for package, api in (
        (run_v2, "run.v2"),
        (secretmanager_v1, "secretmanager.v1"),
        (scheduler_v1, "cloudscheduler.v1"),
    ):
        clients = [getattr(package, name) for name in package.__all__ if re.fullmatch(r"(?!.*Async)\w+Client", name)]
        found |= {rpc.path: rpc for client in clients for rpc in _of_client(client, api)}
    for descriptor, api in (
        (operations_pb2.DESCRIPTOR.services_by_name["Operations"], "run.v2"),
        (locations_pb2.DESCRIPTOR.services_by_name["Locations"], "run.v1"),
    ):
        found |= {rpc.path: rpc for rpc in _of_descriptor(descriptor, api)}
    return found


_NAMED = {
    "ListLogEntries": "logging.entries.list",
    "WriteLogEntries": "logging.entries.write",
    "TailLogEntries": "logging.entries.tail",
    "ListLogs": "logging.projects.logs.list",
    "DeleteLog": "logging.projects.logs.delete",
    "ListMonitoredResourceDescriptors": "logging.monitoredResourceDescriptors.list",
}
"""Those of Cloud Logging are one service over gRPC, and several collections in REST."""


class _Listener(grpc.Channel):
    """A channel that carries nothing and remembers the path that it was last asked for."""

    def __init__(self) -> None:
        self.path = ""

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Any:
        self.path = method
        return partial(self._refuse, method)

    unary_stream = stream_unary = stream_stream = unary_unary

    def _refuse(self, method: str, *_: Any, **__: Any) -> Any:
        self.path = method  # transports ask for streams beforehand
        raise ConnectionError("this channel leads nowhere")

    def subscribe(self, *_: Any, **__: Any) -> None: ...

    def unsubscribe(self, *_: Any) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> _Listener:
        return self

    def __exit__(self, *_: object) -> None: ...


def _of_client(client: Any, api: str) -> Iterator[Rpc]:
    listener = _Listener()
    transport = client.get_transport_class("grpc")(channel=listener)
    for name, member in vars(type(transport)).items():
        types = _types(member)
        if types is not None:
            with contextlib.suppress(Exception):
                getattr(transport, name)(types[0]())
            if not listener.path.startswith(("/google.longrunning.", "/google.cloud.location.")):
                yield _rpc(listener.path, *types, api)


def _types(member: Any) -> tuple[type[Message], type[Message]] | None:
    """Request and response of a transport's property, if it is a method of the API."""
    if not isinstance(member, property) or member.fget is None:
        return None
    returned = get_type_hints(member.fget).get("return")
    if get_origin(returned) is not get_origin(Callable[[], None]):
        return None
    (request,), response = get_args(returned)
    return _bare(request), _bare(response)


def _bare(cls: Any) -> type[Message]:
    """The protobuf class behind a proto-plus one."""
    if cls is NoneType:
        return Empty
    bare: type[Message] = cls.pb() if hasattr(cls, "pb") else cls
    return bare


def _of_descriptor(service: ServiceDescriptor, api: str) -> Iterator[Rpc]:
    for method in service.methods:
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        yield _rpc(f"/{service.full_name}/{method.name}", request, response, api)


def _rpc(path: str, request: type[Message], response: type[Message], api: str) -> Rpc:
    service, _, name = path.rpartition(".")[2].partition("/")
    methods = _published(api, _lower(service), name)
    body = _body(request, methods[0].request) if methods else ""
    return Rpc(path, request, response, methods, body)


def _published(api: str, collection: str, rpc: str) -> tuple[Method, ...]:
    """Both `getIamPolicy` and `get` could be meant by GetIamPolicy: the longer name, where there is one."""
    if rpc in _NAMED:
        return (description(api).methods[_NAMED[rpc]],)
    methods = description(api).methods.values()
    words = re.split(r"(?<=[a-z])(?=[A-Z])", rpc)
    verb, last = {"Update": "patch"}.get(words[0], _lower(words[0])), words[-1]
    if any(m.id.split(".")[-2] == collection for m in methods):
        endings = [f".{collection}.{_lower(rpc)}", f".{collection}.{verb}"]
    else:
        endings = [f".{_lower(rpc)}", f".{verb}{last}", f".{_lower(last).removesuffix('s')}s.{verb}"]
    found = (tuple(m for m in methods if m.id.endswith(ending)) for ending in endings)
    return next(filter(None, found), ())


def _body(request: type[Message], schema: str) -> str:
    """`schema`: of the body in REST, `GoogleCloudRunV2Service` or `Secret`: the request itself, or the field that has
    this type."""
    if not schema:
        return ""
    for field in request.DESCRIPTOR.fields:
        name = field.message_type.name if field.message_type is not None else ""
        if name and (schema == name or schema.endswith(f"V2{name}")):
            return field.name
    return "*"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
