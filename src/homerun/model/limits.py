"""Every limit of the API, once (contract §3, §7.2). Checks, defaults and documentation read them here."""

from __future__ import annotations

import re
from collections.abc import Sized
from dataclasses import dataclass

from homerun.model.quantity import parse_seconds

GIB = 1 << 30
MIB = 1 << 20

DEFAULT_PAGE = 100
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive at both ends."""

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{_number(self.low)}{self.unit}"
        return f"{_number(self.low)} to {_number(self.high)}{self.unit}"

    def complaint(self, value: float) -> str | None:
        """What is wrong with `value`, or None."""
        if self.low <= value <= self.high:
            return None
        if self.low == self.high:
            return f"must be {self}, and is {_number(value)}"
        return f"must be between {_number(self.low)} and {_number(self.high)}{self.unit}, and is {_number(value)}"


@dataclass(frozen=True, slots=True)
class Seconds:
    """A proto3 JSON Duration within `range`; zero is the same as absent."""

    range: Range

    def __str__(self) -> str:
        return str(self.range)

    def complaint(self, value: str) -> str | None:
        if float(value.removesuffix("s")) == 0:
            return None
        try:
            return self.range.complaint(parse_seconds(value))
        except ValueError as error:
            return str(error)


@dataclass(frozen=True, slots=True)
class AtMost:
    """Of characters, elements, entries: what `len` counts."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"at most {self.count:,} {self.unit if self.count > 1 else self.unit.removesuffix('s')}"

    def complaint(self, value: Sized) -> str | None:
        return None if len(value) <= self.count else f"has {len(value)} {self.unit}; at most {self.count} are allowed"


@dataclass(frozen=True, slots=True)
class Text:
    """`pattern` is matched against the whole; `says` completes "must be …"."""

    pattern: str
    says: str

    def __str__(self) -> str:
        return self.says

    def complaint(self, value: str) -> str | None:
        return None if re.fullmatch(self.pattern, value) else f"must be {self.says}, and is {value[:70]!r}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:g}"


SERVICE_ID = 49
WORKER_POOL_ID = 49
JOB_ID = 49
"""Job name and execution token together must stay under 63 characters."""
REVISION_ID = 63
TAG_ID = 46
TAGS = 2000
DNS_LABEL = 63
DESCRIPTION = 512
LABEL = Text(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "at most 63 lowercase letters, digits and hyphens (RFC 1123)")

KEEP_DELETED = 30 * 86400.0
"""Seconds that what was deleted can still be listed."""
REVISIONS = 1000
"""Of a service; beyond it, those that nothing leads to are deleted, oldest first."""
RUNNING_EXECUTIONS = 1000
"""Of a project in a location."""
COMPLETED_EXECUTIONS = 1000
"""Of a job; beyond it, the oldest are deleted."""

CONTAINERS = 10
INSTANCE_CPU = 8
COMMAND_ARGS = 1000
ENV_VARS = 1000
ENV_NAME = 32768
ENV_VALUE = 32768
LABELS = 64
ANNOTATIONS = 256 * 1024
"""Characters of all keys and values together, as in Kubernetes."""
AUDIENCES = 32768
"""Characters of all together."""

REQUEST_TIMEOUT = Seconds(Range(1, 3600, " seconds"))
CONCURRENCY = Range(1, 1000)
MAX_INSTANCES = Range(1, 10_000)
MIN_INSTANCES = Range(0, 10_000)
PORT = Range(1, 65535)

TASK_COUNT = Range(1, 10_000)
MAX_RETRIES = Range(0, 10)
TASK_TIMEOUT = Seconds(Range(1, 168 * 3600, " seconds"))

STARTUP_PROBE = {
    "initialDelaySeconds": Range(0, 240, " seconds"),
    "timeoutSeconds": Range(1, 240, " seconds"),
    "periodSeconds": Range(1, 240, " seconds"),
    "failureThreshold": Range(1, 240),
    "successThreshold": Range(1, 1),
}
LIVENESS_PROBE = {
    "initialDelaySeconds": Range(0, 3600, " seconds"),
    "timeoutSeconds": Range(1, 3600, " seconds"),
    "periodSeconds": Range(1, 3600, " seconds"),
    "failureThreshold": Range(1, 3600),
    "successThreshold": Range(1, 1),
}
READINESS_PROBE = LIVENESS_PROBE | {"successThreshold": Range(1, 3600)}
STARTUP_SECONDS = 240

FILE_MODE = Range(0o1, 0o777)
UTILIZATION = Range(0.1, 0.95)

FRACTIONAL_CPU = Range(0.08, 0.99)
WHOLE_CPUS = (1, 2, 4, 6, 8)
MEMORY = Range(128 * MIB, 32 * GIB)
MEMORY_OF_CPU = (
    # up to this CPU, at least, at most
    (0.49, 128 * MIB, 512 * MIB),
    (0.99, 128 * MIB, 1 * GIB),
    (1, 128 * MIB, 4 * GIB),
    (2, 128 * MIB, 8 * GIB),
    (4, 2 * GIB, 16 * GIB),
    (6, 4 * GIB, 24 * GIB),
    (8, 4 * GIB, 32 * GIB),
)

REQUEST_BODY = 4 * MIB
"""Of an Admin API request."""

PERCENT = Range(0, 100)

RESERVED_NAMESPACES = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
    "homerun.dev",
)
"""Labels and annotations in these belong to the platform: v2 refuses them, v1 has them mean something."""

RESERVED_ENV = frozenset(
    {
        "PORT",
        "K_SERVICE",
        "K_REVISION",
        "K_CONFIGURATION",
        "CLOUD_RUN_JOB",
        "CLOUD_RUN_EXECUTION",
        "CLOUD_RUN_TASK_INDEX",
        "CLOUD_RUN_TASK_ATTEMPT",
        "CLOUD_RUN_TASK_COUNT",
        "CLOUD_RUN_WORKER_POOL",
        "CLOUD_RUN_WORKER_POOL_REVISION",
    }
)
RESERVED_ENV_PREFIX = "X_GOOGLE_"
