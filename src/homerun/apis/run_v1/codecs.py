"""Values as v1 writes them (texts in annotations, seconds as numbers) and as v2 does; both ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from homerun.wire.discovery import description
from homerun.wire.schema import parse


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


def read_json(text: str) -> Any:
    """None for what is no JSON, or has text in it that is no Unicode (lone surrogates)."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _texts(text: str) -> list[str]:
    value = read_json(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be a JSON list of texts, and is {text[:200]!r}")
    return value


def _text_map(text: str) -> dict[str, str]:
    value = read_json(text)
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError(f"must be a JSON object of texts, and is {text[:200]!r}")
    return value


def _network_interfaces(text: str) -> list[Any]:
    """Their shape is v2's already."""
    value = read_json(text)
    if not isinstance(value, list):
        raise ValueError(f"must be a JSON list of network interfaces, and is {text[:200]!r}")
    schemas, schema = description("run.v2").schemas, "GoogleCloudRunV2NetworkInterface"
    parsed = [parse(schemas, schema, item) for item in value]
    for index, (_, violations) in enumerate(parsed):
        for violation in violations:
            raise ValueError(f"[{index}].{violation.field}: {violation.description}")
    return [item for item, _ in parsed]


def choice(values: dict[str, str]) -> Codec:
    """`values`: v1 -> v2; of several v1 names, the first is written."""
    back = {v2: v1 for v1, v2 in reversed(values.items())}

    def to_v2(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}, and is {text!r}")
        return values[text]

    return Codec(to_v2, lambda value: back.get(value))


def _seconds_to_v1(duration: str) -> int:
    """Fractions are left to the difference."""
    return int(duration[:-1].partition(".")[0])


def _hours_to_v1(duration: str) -> str | None:
    hours, rest = divmod(_seconds_to_v1(duration), 3600)
    return None if rest else str(hours)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


TEXT = Codec(lambda text: text, lambda value: value)
BOOL = Codec(_bool, lambda value: "true" if value else "false")
INT = Codec(_int, str)
TEXTS = Codec(_texts, _compact)
TEXT_MAP = Codec(_text_map, _compact)
NETWORK_INTERFACES = Codec(_network_interfaces, _compact)
COMMAS = Codec(lambda text: [part.strip() for part in text.split(",") if part.strip()], ",".join)
HOURS = Codec(lambda hours: f"{_int(hours) * 3600}s", _hours_to_v1)
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
