"""Prometheus' text format, version 0.0.4: by hand, because it is a line for each number, and with 10,000 services there
are many. What is shown is declared once, in FAMILIES, which docs/metrics.md repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from homerun.meter.histogram import BOUNDS, Histogram

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    labels: tuple[str, ...]
    help: str

    def head(self) -> str:
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.kind}\n"

    def labelled(self, *values: str) -> str:
        """`values` of its labels, in their order, as `line` wants them."""
        pairs = zip(self.labels, values, strict=True)
        return ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs])

    def line(self, labels: str, number: float, suffix: str = "") -> str:
        return f"{self.name}{suffix}{{{labels}}} {_number(number)}\n" if labels else f"{self.name} {_number(number)}\n"

    def histogram(self, labels: str, of: Histogram) -> str:
        """All its lines."""
        counts = [count for _, count in of.cumulative()]
        lines = [
            f'{self.name}_bucket{{{labels},le="{bound}"}} {count}\n' for bound, count in zip(_LE, counts, strict=True)
        ]
        lines += [self.line(labels, of.seconds, "_sum"), self.line(labels, counts[-1], "_count")]
        return "".join(lines)


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1 << 53 else repr(value)


_LE = [*map(_number, BOUNDS), "+Inf"]
_REVISION = ("project", "location", "service", "revision")
_JOB = ("project", "location", "job")

INFO = Family("homerun_info", "gauge", ("version",), "Always 1; which version this is.")
REQUESTS = Family(
    "homerun_requests_total", "counter", (*_REVISION, "code_class"), "Requests that were answered, refused or left."
)
LATENCY = Family(
    "homerun_request_latency_seconds",
    "histogram",
    (*_REVISION, "code_class"),
    "From the end of a request's head to the last byte of its answer.",
)
IN_FLIGHT = Family("homerun_requests_in_flight", "gauge", _REVISION, "Requests at instances right now.")
WAITING = Family("homerun_requests_waiting", "gauge", _REVISION, "Length of the queue: requests without a slot.")
WAIT = Family(
    "homerun_request_wait_seconds", "histogram", _REVISION, "Time in the queue, of requests that found no free slot."
)
INSTANCES = Family("homerun_instances", "gauge", (*_REVISION, "state"), "Instances by state.")
STARTS = Family(
    "homerun_instance_starts_total", "counter", (*_REVISION, "result"), "Starts that ended: result is ready or failed."
)
STANDBYS = Family("homerun_standbys", "gauge", _REVISION, "Instances that are made ahead and wait for a request.")
STARTS_FROM = Family(
    "homerun_starts_from_total",
    "counter",
    (*_REVISION, "origin"),
    "Starts that ended with ready, by what they began from.",
)
COLD = Family("homerun_cold_starts_total", "counter", _REVISION, "Starts that at least one request waited for.")
STARTUP = Family(
    "homerun_instance_startup_seconds", "histogram", _REVISION, "From the decision to start until requests are taken."
)
PHASES = Family(
    "homerun_start_phase_seconds", "summary", (*_REVISION, "phase"), "Parts of starts; no quantiles, sum and count."
)
PROBES = Family(
    "homerun_failed_probes_total",
    "counter",
    (*_REVISION, "probe"),
    "Verdicts that a container has not started, is not alive or is not ready.",
)
BILLABLE = Family(
    "homerun_billable_instance_seconds_total",
    "counter",
    ("project", "location", "service"),
    "Instance time on the bill, kept over restarts.",
)
POOL_INSTANCES = Family(
    "homerun_worker_pool_instances", "gauge", ("project", "location", "worker_pool", "state"), "Instances by state."
)
TASKS_RUNNING = Family("homerun_tasks_running", "gauge", _JOB, "Tasks of jobs that run right now.")
TASKS = Family("homerun_tasks_finished_total", "counter", (*_JOB, "result"), "Tasks that came to their end.")
CONNECTIONS = Family("homerun_router_connections", "gauge", ("pid",), "Open connections of users.")
HANDED_OVER = Family(
    "homerun_router_handed_over_total",
    "counter",
    ("pid",),
    "Connections passed on to the process that has their host.",
)
DROPPED = Family("homerun_router_dropped_logs_total", "counter", ("pid",), "Request logs that control had no time for.")
CPU = Family("homerun_process_cpu_seconds_total", "counter", ("process", "pid"), "User and system CPU time.")
MEMORY = Family("homerun_process_resident_memory_bytes", "gauge", ("process", "pid"), "Resident memory.")

FAMILIES = (
    INFO, REQUESTS, LATENCY, IN_FLIGHT, WAITING, WAIT, INSTANCES, STARTS, STANDBYS, STARTS_FROM, COLD, STARTUP, PHASES,
    PROBES, BILLABLE, POOL_INSTANCES, TASKS_RUNNING, TASKS, CONNECTIONS, HANDED_OVER, DROPPED, CPU, MEMORY,
)  # fmt: skip
