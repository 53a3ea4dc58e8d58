"""Whether instances that are ready stay well: their containers are asked, and what changes is told (contract §1.11).

There is one sleeping task for each probe, which wakes when that is due: between two questions thousands of instances
cost nothing. What the answers mean is decided in core/health.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from homerun.aio.tasks import Supervisor
from homerun.core.health import Verdict, Watch
from homerun.engine.base import Event, Phase, Probed
from homerun.engine.oci import probes
from homerun.engine.oci.instance import Instance, Part
from homerun.lib.clock import Clock
from homerun.model.probe import Check, Probe


class Health:
    """`kill`: ends an instance because of one of its containers. `grant`: gives one the CPU that it should have."""

    def __init__(
        self,
        clock: Clock,
        tasks: Supervisor,
        tell: Callable[[Instance, Event], None],
        kill: Callable[[Instance, Part], None],
        grant: Callable[[Instance], None],
    ) -> None:
        self._clock, self._tasks = clock, tasks
        self._tell, self._kill, self._grant = tell, kill, grant

    def begin(self, instance: Instance, *, known: bool = False) -> None:
        """It is ready; `known`: since before this process, and what its record says of it holds."""
        if instance.network is None or instance.phase is not Phase.READY:
            return
        now = self._clock.mono()
        earlier = now - self._clock.now()
        for part in instance.running:
            for check, probe in part.spec.watched.items():
                well = check is Check.LIVENESS or part.spec.name not in instance.unready
                watch = Watch(probe, earlier + (part.begun or instance.started), now, well if known else None)
                asking = self._keep_asking(instance, part, check, probe, watch, instance.network.address)
                instance.asking.append(self._tasks.spawn(asking, name=f"{check.lower()} of {part.key}"))

    def end(self, instance: Instance) -> None:
        """It is about to end: nobody minds how well it is."""
        while instance.asking:
            instance.asking.pop().cancel()

    async def _keep_asking(
        self, instance: Instance, part: Part, check: Check, probe: Probe, watch: Watch, host: str
    ) -> None:
        while True:
            await asyncio.sleep(max(0.0, watch.due - self._clock.mono()))
            with self._awake(instance):
                wrong = await probes.ask(host, probe, probe.timeout)
            verdict = watch.answered(not wrong, self._clock.mono())
            if verdict is not None:
                self._conclude(instance, part, check, verdict, wrong)

    @contextlib.contextmanager
    def _awake(self, instance: Instance) -> Iterator[None]:
        """Who is throttled for want of requests has its CPU while it is asked: otherwise it could not answer."""
        instance.asked += 1
        self._grant(instance)
        try:
            yield
        finally:
            instance.asked -= 1
            if instance.phase is Phase.READY:
                self._grant(instance)

    def _conclude(self, instance: Instance, part: Part, check: Check, verdict: Verdict, wrong: str) -> None:
        name, now = part.spec.name, self._clock.now()
        if check is Check.READINESS:
            others = tuple(other for other in instance.unready if other != name)
            instance.unready = others if verdict.well else (*others, name)
            instance.record.write_unready(instance.unready)
        unready = instance.unready
        told = Probed(instance.id, now, name, check, verdict.well, verdict.times, wrong, unready=unready)
        self._tell(instance, told)
        if check is Check.LIVENESS and not verdict.well:
            self._kill(instance, part)
