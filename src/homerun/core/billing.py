"""What it would cost: seconds of CPU and memory, requests, and dollars (contract §6).

Prices are Cloud Run's public ones of us-central1 (tier 1), so that a bill can be compared with the real one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ROUND_TO = 0.1
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a vCPU-second, a GiB-second, a million requests."""

    cpu: float
    memory: float
    million_requests: float


BY_REQUEST = Prices(cpu=0.000024, memory=0.0000025, million_requests=0.40)
BY_WORKER = Prices(cpu=0.000011244, memory=0.000001235, million_requests=0.0)
BY_INSTANCE = Prices(cpu=0.000018, memory=0.000002, million_requests=0.0)


@dataclass(frozen=True, slots=True)
class Bill:
    """Before the free tier."""

    billable_seconds: float
    vcpu_seconds: float
    gib_seconds: float
    requests: int
    usd: float


def billable(seconds: float) -> float:
    """Rounded up to the next 100 ms; a rounding error's worth of excess does not cost a step."""
    return round(math.ceil(seconds / ROUND_TO - 1e-6) * ROUND_TO, 1)


def bill(seconds: float, cpu: float, memory: int, requests: int, prices: Prices) -> Bill:
    """`seconds` of an instance with `cpu` cores and `memory` bytes, rounded already where rounding applies."""
    vcpu, gib = seconds * cpu, seconds * memory / GIB
    usd = vcpu * prices.cpu + gib * prices.memory + requests / 1e6 * prices.million_requests
    return Bill(seconds, vcpu, gib, requests, usd)
