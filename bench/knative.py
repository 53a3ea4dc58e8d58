"""Knative's autoscaler with its defaults, as a model to compare with: what it decides, not how its code is written.

After knative/serving, pkg/autoscaler (release 1.10 and later) and config/core/configmaps/autoscaler.yaml:

- `scaling/autoscaler.go: Scale`, every `tick-interval` (2 s) and at once when a request comes at scale 0
  (`scaling/multiscaler.go: Poke`): stable and panic counts are ceil(average concurrency / target), each held between
  floor(ready / max-scale-down-rate) and ceil(max-scale-up-rate x ready); panic begins when the panic count is at least
  panic-threshold x ready, ends a stable window after it was last so, and only grows meanwhile; in panic the larger
  of both counts is wanted.
- target: container-concurrency-target-percentage (70 %) of the revision's concurrency.
- `aggregation/bucketing.go: WindowAverage`: buckets of a second, averaged over the stable (60 s) and the panic (10 %)
  window, and over less while there has been data for less.
- `kpa/scaler.go: handleScaleToZero`: to zero only when the revision has been active for a stable window, and when the
  activator has been in the path for scale-to-zero-grace-period (30 s), which it is anyhow while there is less spare
  capacity than target-burst-capacity (200).
- The activator holds requests until a pod has a slot. Pods that a ReplicaSet takes away are those not ready, then the
  youngest; they finish their requests.
- Metrics of a second are there when it is over: no scraping delay, no lost sample, no probing time, no scheduling.
"""

from __future__ import annotations

import math

from bench.simulation import World, numbered
from homerun.core.dispatcher import Sample

TICK, STABLE, PANIC = 2.0, 60, 6
TARGET_PERCENTAGE, PANIC_THRESHOLD = 0.7, 2.0
MAX_SCALE_UP, MAX_SCALE_DOWN = 1000.0, 2.0
GRACE, BURST_CAPACITY = 30.0, 200.0


class Buckets:
    """Average concurrency by second. What has no entry is zero."""

    def __init__(self) -> None:
        self._values: dict[int, float] = {}
        self._first = self._last = -math.inf

    def record(self, second: int, value: float) -> None:
        if second - self._last >= STABLE:
            self._values, self._first = {}, second
        self._values[second] = self._values.get(second, 0.0) + value
        self._last = second

    def average(self, now: float, window: int) -> float:
        """Nothing was recorded for longer than the window: 0. Not long enough ago to fill it: over what there is."""
        second = math.floor(now)
        late = max(second - self._last, 0)
        if late >= window:
            return 0.0
        begin = second - window + 1
        total = sum(value for at, value in self._values.items() if begin <= at <= second)
        count = min(self._last - self._first + 1, window - late)
        for at in [at for at in self._values if at <= second - STABLE]:
            del self._values[at]
        return total / count


class Knative:
    """Implements bench.simulation.Scaler."""

    def __init__(self, world: World, concurrency: int, most: int) -> None:
        self._world, self._concurrency, self._most = world, concurrency, most
        self._target = TARGET_PERCENTAGE * concurrency
        self._new_id = numbered("pod")
        self._buckets = Buckets()
        self._starting: list[str] = []
        self._ready: list[str] = []
        self._panicking: float | None = None
        self._panic_pods = 0
        self._desired = 0
        self._active_since: float | None = None
        self._proxying_since: float | None = 0.0
        self._ticking = False

    # What happens

    def waiting(self, now: float) -> None:
        if not self._ticking:
            self._ticking = True
            self._world.at(now + TICK, self._tick)
        if self._desired == 0:
            # The activator reports the first request at once.
            self._buckets.record(math.floor(now), 1.0)
            self._scale(now)

    def sampled(self, sample: Sample, now: float) -> None:
        self._buckets.record(math.floor(now), sample.concurrency)

    def ready(self, id: str, now: float) -> None:
        self._starting.remove(id)
        self._ready.append(id)
        if self._active_since is None:
            self._active_since = now

    def gone(self, id: str, now: float) -> None:
        pass

    # What is decided

    def _tick(self, now: float) -> None:
        self._scale(now)
        self._ticking = bool(self._starting or self._ready or self._world.traffic)
        if self._ticking:
            self._world.at(now + TICK, self._tick)

    def _scale(self, now: float) -> None:
        stable, panic = self._buckets.average(now, STABLE), self._buckets.average(now, PANIC)
        ready = max(1, len(self._ready))
        most, least = math.ceil(MAX_SCALE_UP * ready), math.floor(ready / MAX_SCALE_DOWN)
        wanted, in_panic = math.ceil(stable / self._target), math.ceil(panic / self._target)
        desired = min(max(wanted, least), most)
        if in_panic / ready >= PANIC_THRESHOLD:
            self._panicking = now
        elif self._panicking is not None and self._panicking + STABLE < now:
            self._panicking, self._panic_pods = None, 0
        if self._panicking is not None:
            self._panic_pods = max(self._panic_pods, desired, min(max(in_panic, least), most))
            desired = self._panic_pods
        if len(self._ready) * self._concurrency - BURST_CAPACITY - panic >= 0:
            self._proxying_since = None
        elif self._proxying_since is None:
            self._proxying_since = now
        self._desired = min(desired, self._most)
        self._apply(self._desired, now)

    def _apply(self, desired: int, now: float) -> None:
        if desired == 0:
            if self._active_since is None:
                # Still activating: whoever it was started for has not been answered.
                return
            if now - self._active_since < STABLE:
                desired = 1
            elif self._proxying_since is None or now - self._proxying_since < GRACE:
                self._proxying_since = self._proxying_since if self._proxying_since is not None else now
                return
            else:
                self._active_since = None
        for _ in range(desired - len(self._starting) - len(self._ready)):
            id = self._new_id()
            self._starting.append(id)
            self._world.start(id, now)
        for _ in range(len(self._starting) + len(self._ready) - desired):
            id = self._starting.pop() if self._starting else self._ready.pop()
            self._world.drain(id, now)
