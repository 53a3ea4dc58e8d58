"""What v1 sent and v2 cannot express: kept beside the document and handed back as it came.

It is found by making the round trip: what is in the request and not in v1(v2(request)) would be lost, so it is baggage.
Nothing has to be listed, and nothing can be forgotten.
"""

from __future__ import annotations

import copy
from typing import Any


def lost(sent: Any, returned: Any) -> Any:
    """The part of `sent` that `returned` has no place for; None when there is none. Empty values are no loss."""
    if isinstance(sent, dict) and isinstance(returned, dict):
        found = {key: part for key, item in sent.items() if (part := lost(item, returned.get(key))) is not None}
        return found or None
    if isinstance(sent, list) and isinstance(returned, list):
        if len(sent) != len(returned):
            return None
        parts = [lost(a, b) for a, b in zip(sent, returned, strict=True)]
        return parts if any(part is not None for part in parts) else None
    return _full(sent) if returned is None else None


def _full(value: Any) -> Any:
    """Without empty texts, lists and objects; None when that is all there is."""
    if isinstance(value, dict):
        value = {key: part for key, item in value.items() if (part := _full(item)) is not None}
    return None if value in ("", {}, []) else copy.deepcopy(value)


def restored(made: Any, baggage: Any) -> Any:
    """`made` with the baggage put where nothing is."""
    if isinstance(made, dict) and isinstance(baggage, dict):
        merged = dict(made)
        for key, part in baggage.items():
            merged[key] = restored(made[key], part) if key in made else copy.deepcopy(part)
        return merged
    if isinstance(made, list) and isinstance(baggage, list):
        if len(made) != len(baggage):
            return made
        return [restored(a, b) if b is not None else a for a, b in zip(made, baggage, strict=True)]
    return made
