"""All documents of a kind, however many: read a page at a time, so that others have their turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from homerun.store.base import Document, Store

PAGE = 500


async def walk(store: Store, kind: str, *, prefix: str = "", after: str = "") -> AsyncIterator[Document]:
    """By name, those that begin with `prefix` and come after `after`. What is written meanwhile may be among them or
    not."""
    while True:
        page = await store.list(kind, prefix=prefix, after=after, limit=PAGE)
        for document in page:
            yield document
        if len(page) < PAGE:
            return
        after = page[-1].name
        await asyncio.sleep(0)
