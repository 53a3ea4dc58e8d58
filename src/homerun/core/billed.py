"""Who pays for an instance, at which rate, and for how much of it: all that its bill needs to know of a revision.

It is short enough to be a label of the instance, so that what an instance has cost can be booked when its revision, or
its whole service, is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from homerun.core.billing import Rate, Size
from homerun.model import names
from homerun.model.revision import RevisionSpec
from homerun.model.worker_pool import WorkerSpec

LABEL = "billed"


@dataclass(frozen=True, slots=True)
class Billed:
    """`revision` is a full resource name."""

    revision: str
    rate: Rate
    size: Size

    @classmethod
    def of(cls, spec: RevisionSpec | WorkerSpec) -> Billed:
        size = Size.of(spec.containers.cpu, spec.containers.memory)
        if isinstance(spec, WorkerSpec):
            return cls(spec.name, Rate.WORKER, size)
        return cls(spec.name, Rate.REQUEST if spec.ingress.cpu_idle else Rate.INSTANCE, size)

    @classmethod
    def parse(cls, revision: str, text: str) -> Billed:
        rate, cpu, memory = text.split()
        return cls(revision, Rate(rate), Size(int(cpu), int(memory)))

    @property
    def owner(self) -> str:
        """The service or the worker pool."""
        return names.parent(self.revision)

    @property
    def label(self) -> str:
        return f"{self.rate} {self.size.cpu} {self.size.memory}"
