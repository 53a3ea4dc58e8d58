"""Values as v1 writes them (texts in annotations, seconds as numbers) and as v2 does; both ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Codec:
    """`to_v2` raises ValueError saying what would be right."""

    to_v2: Callable[[Any], Any]
    to_v1: Callable[[Any], Any]


def _bool(text: str) -> bool:
    """gcloud writes True and False, others true and false."""
    if text.lower() not in ("true", "false"):
        raise ValueError(f"must be true or false, and is {text!r}")
    return text.lower() == "true"


def _int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"must be a whole number, and is {text!r}")
    return int(text)


def _json(kind: type) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, kind):
            raise ValueError(f"must be a JSON {kind.__name__}, and is {text!r}")
        return value

    return convert


def choice(values: dict[str, str]) -> Codec:
    """`values`: v1 -> v2; of several v1 names, the first is written."""
    back = {v2: v1 for v1, v2 in reversed(values.items())}

    def to_v2(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}, and is {text!r}")
        return values[text]

    return Codec(to_v2, lambda value: back.get(value))


def _seconds_to_v1(duration: str) -> int:
    return round(float(duration[:-1]))


TEXT = Codec(lambda text: text, lambda value: value)
BOOL = Codec(_bool, lambda value: "true" if value else "false")
INT = Codec(_int, str)
JSON_LIST = Codec(_json(list), json.dumps)
SECONDS = Codec(lambda seconds: f"{seconds}s", _seconds_to_v1)
SECONDS_TEXT = Codec(lambda seconds: f"{seconds}s", lambda duration: str(_seconds_to_v1(duration)))
"""int64 in v1's JSON: a string."""

INGRESS = choice(
    {
        "all": "INGRESS_TRAFFIC_ALL",
        "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
        "internal-and-cloud-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
        "none": "INGRESS_TRAFFIC_NONE",
    }
)
EXECUTION_ENVIRONMENT = choice({"gen1": "EXECUTION_ENVIRONMENT_GEN1", "gen2": "EXECUTION_ENVIRONMENT_GEN2"})
VPC_EGRESS = choice({"all-traffic": "ALL_TRAFFIC", "all": "ALL_TRAFFIC", "private-ranges-only": "PRIVATE_RANGES_ONLY"})
LAUNCH_STAGE = choice({stage: stage for stage in ("BETA", "ALPHA", "EARLY_ACCESS", "PRELAUNCH", "DEPRECATED", "GA")})
SCALING_MODE = choice({"automatic": "AUTOMATIC", "manual": "MANUAL"})
REVOCATION = choice({"prevent-new": "PREVENT_NEW", "shut-down": "SHUTDOWN"})
