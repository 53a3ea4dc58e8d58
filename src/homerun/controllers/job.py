"""Job: pin its image, start the execution that its token asks for, and keep its executions within bounds.

A job has no instances of its own. Its image is resolved at each create and update (contract §5.4); executions copy
template and digests when they are made, so that an update does not touch those that run. A job with a token is ready
when the execution of that name has started, or has completed (contract §7.2). A token asks for its execution once, and
under the same terms as `:run`: the job's overlap policy, and the number of executions of a location. What those forbid
is not started later: the job says why, and its next update, or a run, asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from homerun.controllers.burial import buried
from homerun.controllers.operations import finish, pending_operations
from homerun.controllers.revision_status import image_reason
from homerun.controllers.secrets import REASON, Secrets
from homerun.controllers.surplus import Surplus
from homerun.engine.base import Engine
from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition, HomerunError, ResourceExhausted
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, limits, names
from homerun.model.conditions import FAILED, RECONCILING, SUCCEEDED, Condition, condition
from homerun.model.new_execution import crowded, execution_body, execution_internal, with_latest
from homerun.model.overlap import Overlap, refusal
from homerun.model.secret_needs import SecretNeeds
from homerun.store.base import ABSENT, Delete, Document, Put, Store, Write
from homerun.store.running import cancelled, unfinished

KINDS = frozenset({"Job", "Execution"})
_TOKENS = (("startExecutionToken", "Started"), ("runExecutionToken", "Completed"))
"""Each with the condition of the execution that the job waits for."""


class JobController:
    def __init__(self, store: Store, engine: Engine, secrets: Secrets, clock: Clock) -> None:
        self._store, self._engine, self._secrets, self._clock = store, engine, secrets, clock
        self._surplus = Surplus(store, "Execution", "executions", lambda execution: execution.body["createTime"])
        self.on_gone: Callable[[str], None] = lambda job: None
        """Called with a job that does not exist any more."""

    @staticmethod
    def key(document: Document) -> str:
        """An execution's end is its job's business: a deleted job waits for the last one."""
        return document.name if document.kind == "Job" else names.parent(document.name)

    async def reconcile(self, key: str) -> None:
        job = await self._store.get("Job", key)
        if job is None:
            self._surplus.forget(key)
            self.on_gone(key)
            return
        if "deleteTime" in job.body:
            operations = await pending_operations(self._store, job.internal)
            executions = await self._store.list("Execution", prefix=f"{key}/executions/")
            await self._store.apply(*deletion(job, executions, operations, self._clock.now()))
        elif job.body.get("observedGeneration") != job.body["generation"]:
            await self._settle(job, await pending_operations(self._store, job.internal))
        if int(job.body.get("executionCount", 0)) > limits.COMPLETED_EXECUTIONS:
            await self._prune(key)

    async def _settle(self, job: Document, operations: Sequence[Document]) -> None:
        now, execution = self._clock.now(), _execution_name(job)
        if job.internal.get("pinned") != job.body["generation"]:
            template = job.body["template"]["template"]
            containers = template["containers"]
            if problem := await self._secrets.check(SecretNeeds.parse(template, job.name)):
                denied = condition("Ready", FAILED, now, message=problem, reason=REASON)
                await self._store.apply(*settled(job, operations, now, denied, FailedPrecondition(problem)))
                return
            try:
                digests = [(await self._engine.pull(container["image"])).pinned for container in containers]
            except HomerunError as error:
                failed = condition("Ready", FAILED, now, message=error.message, reason=image_reason(error))
                await self._store.apply(*settled(job, operations, now, failed, error))
                return
            await self._ask(pinned(job, digests), operations, execution)
        elif execution:
            await self._store.apply(*awaited(job, operations, await self._store.get("Execution", execution), now))

    async def _ask(self, job: Document, operations: Sequence[Document], execution: str) -> None:
        """Its images are here: start the execution, unless there is none to start, or it was started already."""
        known = bool(execution) and await self._store.get("Execution", execution) is not None
        if execution and not known and execution != job.internal.get("asked"):
            # Read after the job, whose version guards what follows from them.
            others, problem = await self._others(job)
            await self._store.apply(*asked(job, operations, others, problem, self._clock.now()))
        elif known:
            internal = {**job.internal, "asked": execution}
            await self._store.apply(Put(job.kind, job.name, job.body, internal, if_version=job.version))
        else:
            now = self._clock.now()
            await self._store.apply(*settled(job, operations, now, condition("Ready", SUCCEEDED, now)))

    async def _others(self, job: Document) -> tuple[list[Document], HomerunError | None]:
        """Executions that one more of the job takes the place of, and what forbids one more."""
        location = names.parent(job.name)
        if problem := crowded(location, await self._store.count("Running", prefix=f"{location}/jobs/")):
            return [], ResourceExhausted(problem)
        if Overlap.of(job.body) is Overlap.ALLOW:
            return [], None
        others = await unfinished(self._store, job.name)
        if problem := refusal(job.body, [other.name for other in others]):
            return [], FailedPrecondition(problem)
        return others, None

    async def _prune(self, key: str) -> None:
        """Of completed executions the oldest go, each by its own controller."""
        prefix = f"{key}/executions/"
        total, running = [await self._store.count(kind, prefix=prefix) for kind in ("Execution", "Running")]
        excess = total - running - limits.COMPLETED_EXECUTIONS
        oldest = await self._surplus.oldest(key, excess, lambda execution: "completionTime" in execution.body)
        await self._store.apply(*_marked(oldest, self._clock.now()))


def _execution_name(job: Document) -> str:
    """Of the execution that the job's token asks for, or empty."""
    token = next((job.body[key] for key, _ in _TOKENS if job.body.get(key)), "")
    return f"{job.name}/executions/{names.last(job.name)}-{token}" if token else ""


def pinned(job: Document, digests: Sequence[str]) -> Document:
    """With this generation's images, which are here."""
    internal = {**job.internal, "digests": list(digests), "pinned": job.body["generation"]}
    return replace(job, internal=internal)


def asked(
    job: Document, operations: Sequence[Document], others: Sequence[Document], problem: HomerunError | None, now: float
) -> list[Write]:
    """Start the execution that the token asks for, in place of `others`; or say why not."""
    name = _execution_name(job)
    if problem is not None:
        message = f"Execution {names.last(name)} was not started. {problem.message}"
        failed = condition("Ready", FAILED, now, message=message)
        return settled(job, operations, now, failed, type(problem)(message))
    execution = execution_body(job.body, names.last(name), {}, now, job.body.get("lastModifier", ""))
    internal = execution_internal(job.body, job.internal, {})
    if others:
        internal["replaces"] = [other.name for other in others]
    latest = with_latest(job.body, execution)
    return [
        Put(job.kind, job.name, latest, {**job.internal, "asked": name}, if_version=job.version),
        Put("Execution", name, execution, internal, if_version=ABSENT),
        Put("Running", name, {}),
        *cancelled(others),
    ]


def awaited(job: Document, operations: Sequence[Document], execution: Document | None, now: float) -> list[Write]:
    """What has become of the execution that the job waits for; nothing to write: it goes on."""
    id, stage = names.last(_execution_name(job)), next(stage for key, stage in _TOKENS if job.body.get(key))
    body = execution.body if execution is not None else {}
    reached = conditions.find(body.get("conditions", ()), stage) or {}
    if execution is None or "deleteTime" in body:
        problem = f"Execution {id} was deleted before it had {stage.lower()}."
    elif reached.get("state") == SUCCEEDED:
        return settled(job, operations, now, condition("Ready", SUCCEEDED, now))
    elif "completionTime" in body:
        problem = (conditions.find(body["conditions"], "Completed") or {}).get("message", "")
    else:
        waiting = condition("Ready", RECONCILING, now, message=f"Waiting until execution {id} has {stage.lower()}.")
        body = _ready(job, waiting)
        return [] if body == job.body else [Put(job.kind, job.name, body, job.internal, if_version=job.version)]
    failed = condition("Ready", FAILED, now, message=problem)
    return settled(job, operations, now, failed, FailedPrecondition(problem))


def settled(
    job: Document, operations: Sequence[Document], now: float, ready: Condition, error: HomerunError | None = None
) -> list[Write]:
    """This generation has come to its end, good or bad."""
    body = _ready(job, ready) | {
        "reconciling": False,
        "observedGeneration": job.body["generation"],
        "updateTime": to_rfc3339(now),
    }
    generation = int(job.body["generation"])
    ended, internal = finish(operations, job.internal, "Job", body, error=error, generation=generation)
    return [Put("Job", job.name, body, internal, if_version=job.version), *ended]


def deletion(job: Document, executions: Sequence[Document], operations: Sequence[Document], now: float) -> list[Write]:
    """First the executions, each by its own controller; when the last is gone, the job."""
    if executions:
        return _marked(executions, now)
    ended, _ = finish(operations, job.internal, "Job", job.body)
    return [*ended, buried(job), Delete("Job", job.name, if_version=job.version)]


def _ready(job: Document, ready: Condition) -> dict[str, Any]:
    before = [c for c in (job.body.get("terminalCondition"),) if c]
    return {**job.body, "terminalCondition": conditions.merge(before, [ready])[0], "conditions": []}


def _marked(executions: Sequence[Document], now: float) -> list[Write]:
    """To be deleted."""
    return [
        Put(e.kind, e.name, {**e.body, "deleteTime": to_rfc3339(now)}, e.internal, if_version=e.version)
        for e in executions
        if "deleteTime" not in e.body
    ]
