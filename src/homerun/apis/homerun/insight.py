"""What the extension API shows and who knows it.

The shapes are the JSON itself, key by key, so there is nothing to convert and nothing to get out of step. Times are
RFC 3339, durations seconds. `Insight` is filled in by the daemon, the one place that knows all layers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO, NotRequired, Protocol, TypedDict


class Info(TypedDict):
    """`environment`: what `homerun env` exports to point gcloud and the client libraries here.

    `https`: empty when services have no TLS. `certificate`: as PEM, what the API shows to clients that speak TLS.
    """

    version: str
    project: str
    projectNumber: str
    region: str
    api: str
    http: str
    https: str
    domain: str
    environment: dict[str, str]
    certificate: NotRequired[str]


class Moment(TypedDict):
    """One line of a timeline."""

    time: str
    what: str


class UsedView(TypedDict):
    """What is billed. `idleSeconds`: of instances without requests that a minimum keeps, cheaper than the others."""

    vcpuSeconds: float
    gibSeconds: float
    requests: int
    billableSeconds: float
    idleSeconds: float


class Cost(UsedView):
    """By the public prices of the real platform, before its free tier."""

    usd: float
    freeTierNote: NotRequired[str]


class BillRow(UsedView):
    """`name`: a day, a month, a project, a region, a kind, or the full name of what was used. Before the free tier."""

    name: str
    usd: float


class BillMonth(TypedDict):
    """What of the bill is in this month: before the free tier, what that takes off, and what is left."""

    month: str
    usd: float
    freeTierUsd: float
    totalUsd: float


class BillView(TypedDict):
    """Days in UTC, as `2026-12-01`: from `since` to before `until`. `by`: what each row is for."""

    since: str
    until: str
    by: str
    currency: str
    prices: str
    rows: list[BillRow]
    months: list[BillMonth]
    usd: float
    freeTierUsd: float
    totalUsd: float


class InstanceView(TypedDict):
    """`phases`: how long each part of its start took, in order. `inFlight`: of a service's."""

    id: str
    revision: str
    phase: str
    startTime: str
    readyTime: NotRequired[str]
    inFlight: NotRequired[int]
    phases: dict[str, float]


class ObservedView(TypedDict):
    """Requests right now, and averages over the last minute: of requests in flight or waiting, and of cores used."""

    inFlight: int
    waiting: int
    concurrency: float
    cpu: float


class ColdStartView(TypedDict):
    """A start of an instance, running or not any more: how long each part of it took, in order, and all together.

    `origin`: what it began from, its `image`, a `standby`, which was made before anybody waited, or a `checkpoint`.
    `waited`: requests that waited for it; `longestWait`: how long the first of them did.
    """

    time: str
    revision: str
    instance: str
    seconds: float
    origin: str
    phases: dict[str, float]
    waited: int
    longestWait: float


class StandbyView(TypedDict):
    """An instance of this revision is made, up to the start of its programs, and waits for a request."""

    revision: str
    since: str


class CheckpointView(TypedDict):
    """Instances of this revision go on from a checkpoint; or, with a reason, they cannot."""

    revision: str
    whyNot: NotRequired[str]


class DecisionView(TypedDict):
    """So many instances were wanted while so many were ready, for this reason.

    Of services also: how many were on their way; which driver (demand, concurrency, cpu, manual, check) asked for how
    many, and what limited it, if anything did.
    """

    time: str
    revision: str
    want: int
    ready: int
    reason: str
    starting: NotRequired[int]
    driver: NotRequired[str]
    asked: NotRequired[int]
    limit: NotRequired[str]
    observed: NotRequired[ObservedView]


class ServiceView(TypedDict):
    """Of a worker pool as well, whose decisions also tell which instance ended how, and when another starts."""

    instances: list[InstanceView]
    decisions: list[DecisionView]
    coldStarts: NotRequired[list[ColdStartView]]
    standbys: NotRequired[list[StandbyView]]
    checkpoints: NotRequired[list[CheckpointView]]
    timeline: list[Moment]
    cost: Cost


class AttemptView(TypedDict):
    """`code` or `signal`, never both; `lost`: nobody saw how it ended. `why`: of one that failed."""

    attempt: int
    started: str
    ended: NotRequired[str]
    code: NotRequired[int]
    signal: NotRequired[int]
    oom: bool
    lost: bool
    why: NotRequired[str]


class TaskView(TypedDict):
    index: int
    state: str
    attempts: list[AttemptView]


class ExecutionView(TypedDict):
    """`moreTasks`, `moreMoments`: how many were left out because not all were asked for."""

    tasks: list[TaskView]
    moreTasks: int
    timeline: list[Moment]
    moreMoments: int
    cost: Cost


class Slow(TypedDict):
    """An attempt that takes, or took, long: so many seconds."""

    index: int
    attempt: int
    seconds: float


class Failed(TypedDict):
    """An attempt that failed, and why."""

    index: int
    attempt: int
    why: str


class ProgressView(TypedDict):
    """How far an execution is; the same work for ten thousand tasks as for one.

    `counts`: of tasks, by state. `running`: attempts that run, the longest first. `slowest`: of those that have ended.
    `failures`: the last ones. The three lists have a few entries each, and are empty when the execution is over.
    `waiting`: what it waits for before its first task, if it does.
    """

    counts: dict[str, int]
    retried: int
    running: list[Slow]
    slowest: list[Slow]
    failures: list[Failed]
    waiting: str


class BuildLog(TypedDict):
    log: str


class Built(TypedDict):
    """The last event of a build that succeeded: a reference that a deploy can use."""

    image: str


BuildEvent = BuildLog | Built


@dataclass(frozen=True, slots=True)
class Span:
    """Which bill. Empty: the current month, up to today. `minimum`: with the first minute of each instance in full."""

    since: str = ""
    until: str = ""
    by: str = "resource"
    minimum: bool = True


class Insight(Protocol):
    def info(self) -> Info: ...

    async def explain_service(self, name: str) -> ServiceView:
        """Raises NotFound."""
        ...

    async def explain_worker_pool(self, name: str) -> ServiceView:
        """Raises NotFound."""
        ...

    async def explain_execution(
        self, name: str, tasks: int = 0, moments: int = 0, one: int | None = None
    ) -> ExecutionView:
        """Raises NotFound. `tasks`: at most so many, the troubled ones first; `moments`: the last so many; 0: all.
        `one`: of this task only, by its index."""
        ...

    async def execution_progress(self, name: str) -> ProgressView:
        """Raises NotFound."""
        ...

    async def bill(self, span: Span) -> BillView:
        """Raises Invalid."""
        ...

    def metrics(self) -> AsyncIterator[str]:
        """The page that Prometheus reads, in pieces."""
        ...

    def build(self, name: str, archive: BinaryIO) -> AsyncIterator[BuildEvent]:
        """Build an image called `name` from a gzipped tar of its sources and tell what happens; Built comes last.

        Raises Invalid for sources that cannot be built, FailedPrecondition when a step of the build fails.
        `archive` may be read until the iterator ends; closing the iterator cancels the build.
        """
        ...

    def shutdown(self) -> None:
        """Begin to stop everything; returns at once."""
        ...
