"""What the metadata server knows of one instance, as folders and files (contract §1.14), and how it is written down.

A folder is a mapping, a file a text, a number or a list of texts. `MADE` stands for a file whose content is made when
somebody asks for it: folders list it, but it is left out where everything is written at once, as Google's server does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from homerun.engine.base import InstanceState
from homerun.model import labels
from homerun.model.defaults import default_service_account
from homerun.model.project import Projects

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
"""Of every service account. homerun's access tokens know no narrower ones."""


class Made(Enum):
    MADE = "made"


MADE = Made.MADE
Node = Mapping[str, "Node"] | str | int | list[str] | Made


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `project` is the id, `number` its number; `account` the address of the service account."""

    instance: str
    project: str
    number: str
    region: str
    account: str

    @classmethod
    def of(cls, state: InstanceState, projects: Projects) -> Identity | None:
        """None: it belongs to nothing that has an identity."""
        name = labels.owner(state.labels)
        if name is None:
            return None
        number = projects.number_of(name.project)
        account = state.labels.get(labels.ACCOUNT) or default_service_account(number)
        return cls(state.id, name.project, number, name.location, account)


def tree(who: Identity) -> Node:
    """Below `/computeMetadata/v1/`. `instance/name` is not there on Cloud Run, and asked for by many (contract §15)."""
    account: Node = {
        "aliases": ["default"],
        "email": who.account,
        "identity": MADE,
        "scopes": SCOPES,
        "token": MADE,
    }
    return {
        "instance": {
            "id": who.instance,
            "name": who.instance,
            "region": f"projects/{who.number}/regions/{who.region}",
            "service-accounts": {"default": account, who.account: account},
            "zone": f"projects/{who.number}/zones/{who.region}-1",
        },
        "project": {"numeric-project-id": int(who.number), "project-id": who.project},
        "universe": {"universe-domain": "googleapis.com"},
    }


def find(root: Node, path: list[str]) -> Node | None:
    node: Node | None = root
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def listing(folder: Mapping[str, Node]) -> str:
    """A line for each entry; those of folders end with a slash."""
    return "".join(f"{name}{'/' if isinstance(node, Mapping) else ''}\n" for name, node in folder.items())


def as_json(node: Node) -> str:
    return json.dumps(_plain(node), separators=(",", ":"))


def as_text(node: Node, path: str = "") -> str:
    """A file's content; of a folder, a line `path value` for each file in it and below."""
    if isinstance(node, Mapping):
        return "".join(f"{name} {line}\n" for name, value in _files(node, path) for line in _lines(value))
    return "\n".join(_lines(node))


def _files(folder: Mapping[str, Node], path: str) -> Iterator[tuple[str, Node]]:
    for name, node in folder.items():
        if isinstance(node, Mapping):
            yield from _files(node, f"{path}{name}/")
        elif node is not MADE:
            yield path + name, node


def _lines(value: Node) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _plain(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {_key(name): _plain(value) for name, value in node.items() if value is not MADE}
    return node


def _key(name: str) -> str:
    """`service-accounts` -> `serviceAccounts`; addresses stay as they are."""
    if "@" in name:
        return name
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)
