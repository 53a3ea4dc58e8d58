"""What is left of a deleted resource: a document of its own kind, for `showDeleted` (contract §7.3).

Its name is free again at once, so what was deleted is kept under the name and the uid.
"""

from __future__ import annotations

from homerun.store.base import Document, Put

DELETED = frozenset({"DeletedService", "DeletedWorkerPool", "DeletedJob"})


def buried(document: Document) -> Put:
    """`document`: as it is now, with its deleteTime."""
    body = {"expireTime": document.body["deleteTime"], **document.body, "reconciling": False}
    name = f"{document.name}/{body['uid']}"
    return Put(f"Deleted{document.kind}", name, body, {"etag": document.internal.get("etag", "")})
