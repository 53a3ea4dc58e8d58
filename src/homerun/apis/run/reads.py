"""Get and list documents as users see them: what is being deleted is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from homerun.aio.pieces import in_pieces
from homerun.apis.run.writes import existing
from homerun.model.names import Name
from homerun.store.base import Document, Store
from homerun.wire.paging import Page, next_token

T = TypeVar("T")

BATCH = 500
SHOWN_AT_ONCE = 50
"""In v1 the conversion of so many takes some 10 ms, in which the router's demand for instances waits."""


@dataclass(frozen=True, slots=True)
class Listing:
    documents: Sequence[Document]
    next_token: str
    """Empty: that was all."""

    async def shown(self, view: Callable[[Document], T]) -> list[T]:
        """Each document as `view` has it. A conversion takes its time: others get their turn in between."""
        return await in_pieces(view, self.documents, SHOWN_AT_ONCE)


async def get(store: Store, kind: str, name: str) -> Document:
    """Raises NotFound."""
    return existing(await store.get(kind, name), name)


async def listing(
    store: Store,
    kind: str,
    prefix: str,
    page: Page,
    query: str,
    *,
    keep: Callable[[Document], bool] = lambda document: "deleteTime" not in document.body,
    deleted: bool = False,
) -> Listing:
    """A page of the documents under `prefix` that `keep` keeps. Other requests get their turn between batches.

    `deleted`: among them those that are gone already.
    """
    found: list[Document] = []
    after = page.after
    while True:
        batch = await store.list(kind, prefix=prefix, after=after, limit=min(BATCH, page.size + 1))
        if deleted:
            gone = await store.list(f"Deleted{kind}", prefix=prefix, after=after, limit=min(BATCH, page.size + 1))
            batch = sorted([*batch, *gone], key=lambda document: document.name)[: min(BATCH, page.size + 1)]
        for document in batch:
            if keep(document):
                if len(found) == page.size:
                    return Listing(found, next_token(query, found[-1].name))
                found.append(document)
        if len(batch) < min(BATCH, page.size + 1):
            return Listing(found, "")
        after = batch[-1].name
        await asyncio.sleep(0)


def under(parent: Name) -> Callable[[Document], bool]:
    """Whether a document is below `parent`, in which `-` stands for any: `…/jobs/-/executions/E`."""
    wanted = str(parent).split("/")
    return lambda document: all(
        part in ("-", found) for part, found in zip(wanted, document.name.split("/"), strict=False)
    )


def prefix_of(parent: str, collection: str) -> str:
    """Of a list under `parent`; `-` stands for any: `…/jobs/-` + `executions` -> `…/jobs/`."""
    head, wildcard, _ = f"{parent}/{collection}/".partition("/-/")
    return f"{head}/" if wildcard else head
