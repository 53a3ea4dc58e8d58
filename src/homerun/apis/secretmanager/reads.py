"""Finding secrets and versions: by name, and page by page, newest first as Google lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homerun.apis.rest import Call
from homerun.apis.run.backend import Backend
from homerun.apis.secretmanager.views import shown_name
from homerun.lib.errors import NotFound
from homerun.model.secret import SecretName, expired, version_number
from homerun.store.base import Document
from homerun.wire.filters import parse_filter
from homerun.wire.paging import next_token, page

Listed = tuple[str, dict[str, Any]]
"""What something is sorted by, and how it is shown."""


async def get_secret(backend: Backend, name: SecretName) -> Document:
    """Raises NotFound, also for one whose time is over and that is about to be deleted."""
    found = await backend.store.get("Secret", str(name.secret))
    if found is None or expired(found.body, backend.now()):
        raise NotFound(f"Secret [{shown_name(backend, name).secret}] not found.")
    return found


async def get_version(backend: Backend, name: SecretName) -> tuple[Document, Document]:
    """The secret, and the version that `name` means by number, alias or `latest`. Raises NotFound."""
    secret = await get_secret(backend, name)
    shown = shown_name(backend, name)
    number = version_number(shown, secret.body, secret.internal["versions"])
    found = await backend.store.get("SecretVersion", str(name.at(number)))
    if found is None:
        raise NotFound(f"Secret Version [{shown}] not found.")
    return secret, found


def listing(call: Call, key: str, field: str, items: Iterable[Listed]) -> dict[str, Any]:
    """The answer to a list: those that the call's filter wants, the page that it wants."""
    text = call.query.get("filter", "")
    query = f"{key} {text}"
    wanted = page(query, call.query.get("pageSize", ""), call.query.get("pageToken", ""))
    node = parse_filter(text)
    found = sorted((item for item in items if node.matches(_named(item[1]))), key=lambda item: item[0], reverse=True)
    left = [item for item in found if not wanted.after or item[0] < wanted.after]
    answer: dict[str, Any] = {field: [shown for _, shown in left[: wanted.size]]}
    if not text:
        answer["totalSize"] = len(found)
    if len(left) > wanted.size:
        answer["nextPageToken"] = next_token(query, left[wanted.size - 1][0])
    return answer


def _named(shown: dict[str, Any]) -> dict[str, Any]:
    """Filters may name fields either way: `create_time` and `createTime`."""
    return shown | {"create_time": shown.get("createTime", ""), "expire_time": shown.get("expireTime", "")}
