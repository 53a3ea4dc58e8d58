"""The dispatcher of a router and the fleet of control together, in virtual time, under everything that can happen.

Requests arrive, end, are cancelled and expire; instances become ready, fail to start, crash, cannot be reached; limits
change; messages between both sides are late; either side is killed and starts anew. After each step what must always
hold is looked at (design.md §7), and at the end, when nothing disturbs any more, everybody has been answered.
"""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homerun.core.autoscaler import Scaling
from homerun.core.dispatcher import Assign, Dispatcher, Drained, Instance, QueueFull
from homerun.core.dispatcher import State as Slot
from homerun.core.fleet import Command, Drain, Fleet, Load, Recall, Start, Stop
from homerun.core.instance import Instance as Record
from homerun.core.instance import State
from tests.support.examples import examples

QUEUE = 12
IDLE = 30.0
STEPS = 70


class Model:
    """What is true, beside what both sides believe."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.now = 0.0
        self.concurrency = self.draw.choice((1, 1, 2, 3, 5))
        self.deadline = 10.0
        self.limits = Scaling(self.concurrency, 0, 4)
        self.ids = count()
        self.tickets = count()
        self.waiting: OrderedDict[int, float] = OrderedDict()
        """Who waits, in the order in which their turn comes, with the time of arrival."""
        self.served: dict[int, str] = {}
        """Which instance works on a request."""
        self.engine: dict[str, str] = {}
        """Processes that run: starting, ready, or told to stop."""
        self.unreachable: set[str] = set()
        self.turns: dict[str, int] = {}
        """How many times an instance was taken back, as control counts (controllers/plane.py)."""
        self.turns_heard: dict[str, int] = {}
        """The same, as the router knows it."""
        self.recalled = 0
        self.used: dict[str, int] = {}
        """When the load of an instance last changed."""
        self.clock = count()
        self.to_router: deque[Callable[[], None]] = deque()
        self.to_control: deque[Callable[[], None]] = deque()
        self.told = True
        """Control has said what it knows since it was killed (router/link.py)."""
        self.metered = False
        self.sampled = 0.0
        self.dispatcher = self.new_dispatcher()
        self.fleet = self.new_fleet()
        self.carry_out(self.fleet.tick(self.now))

    def new_dispatcher(self) -> Dispatcher[int, Instance]:
        return Dispatcher(self.concurrency, self.deadline, QUEUE, self.now)

    def new_fleet(self) -> Fleet:
        return Fleet(self.limits, IDLE, lambda: f"i{next(self.ids)}")

    # Control's side

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Start(id):
                    assert id not in self.engine
                    self.engine[id] = "starting"
                    assert self.fleet.count(State.STARTING, State.READY) <= max(self.fleet.maximum, 1)
                case Drain(id):
                    assert self.engine[id] == "ready"
                    self.to_router.append(lambda id=id: self.drain(id))  # type: ignore[misc]
                case Recall(id):
                    assert self.engine[id] == "ready"
                    turn = self.turns[id] = self.turns.get(id, 0) + 1
                    self.recalled += 1
                    self.to_router.append(lambda id=id, turn=turn: self.recall(id, turn))  # type: ignore[misc]
                case Stop(id):
                    assert self.engine[id] in ("starting", "ready")
                    busy = id in self.served.values()
                    assert not busy or id in self.unreachable, "a busy instance was stopped"
                    self.engine[id] = "stopping"

    def tell_control(self, tell: Callable[[], list[Command]]) -> None:
        self.to_control.append(lambda: self.carry_out(tell()))

    def became_ready(self, id: str) -> None:
        self.engine[id] = "ready"
        commands = self.fleet.ready(id, self.now)
        if self.fleet.instances[id].state is State.READY:
            self.to_router.append(lambda: self.up(id))
        self.carry_out(commands)

    def exit(self, id: str, failure: str) -> None:
        del self.engine[id]
        self.to_router.append(lambda: self.gone(id))
        commands = self.fleet.exited(id, self.now, failure)
        if self.fleet.hopeless:
            self.to_router.append(self.refuse_all)
        self.carry_out(commands)

    # The router's side

    def demand(self) -> None:
        in_flight, waiting = self.dispatcher.in_flight - self.dispatcher.leaving, self.dispatcher.waiting
        self.tell_control(lambda: self.fleet.demand(in_flight, waiting, self.now))
        self.tell_control(self.hopeless)

    def hopeless(self) -> list[Command]:
        """As controllers.capacity does when there is demand during a back-off."""
        if self.fleet.hopeless:
            self.to_router.append(self.refuse_all)
        return []

    def assigned(self, ticket: int, instance: Instance, *, waited: bool) -> None:
        load = instance.in_flight - 1
        assert instance.state is Slot.ACTIVE, "an instance that leaves, failed or is gone got a request"
        assert load < self.concurrency, "more requests than the concurrency allows"
        others = [i for i in self.dispatcher.instances.values() if i.state is Slot.ACTIVE and i is not instance]
        assert all(load <= other.in_flight for other in others), "not the least loaded"
        equals = [other for other in others if other.in_flight == load]
        assert all(self.used[instance.id] > self.used[other.id] for other in equals), "not the one used last"
        if waited:
            first = next(iter(self.waiting))
            assert ticket == first, "not the one that waited longest"
            del self.waiting[ticket]
        else:
            assert not self.waiting, "somebody else waited longer"
        self.served[ticket] = instance.id
        self.used[instance.id] = next(self.clock)

    def assign_all(self, commands: Iterable[Assign[int, Instance]]) -> None:
        """They were all made at once: what each saw is what those before it left."""
        made = list(commands)
        for command in made:
            command.instance.in_flight -= 1
        for command in made:
            command.instance.in_flight += 1
            self.assigned(command.ticket, command.instance, waited=True)

    def up(self, id: str) -> None:
        instance = self.dispatcher.instances.get(id) or Instance(id)
        if instance.state is not Slot.ACTIVE:
            self.used[id] = next(self.clock)
        self.assign_all(self.dispatcher.up(instance, self.now))

    def recall(self, id: str, turn: int) -> None:
        self.turns_heard[id] = turn
        self.up(id)
        if self.waiting:
            self.demand()

    def drain(self, id: str) -> None:
        instance = self.dispatcher.instances.get(id)
        if instance is None or self.dispatcher.drain(instance) is not None:
            self.tell_drained(id)

    def tell_drained(self, id: str) -> None:
        turn = self.turns_heard.get(id, 0)
        self.tell_control(lambda: self.fleet.drained(id, self.now) if turn == self.turns.get(id, 0) else [])

    def gone(self, id: str) -> None:
        instance = self.dispatcher.instances.get(id)
        if instance is not None:
            self.dispatcher.gone(instance, self.now)
        for ticket in [ticket for ticket, server in self.served.items() if server == id]:
            del self.served[ticket]

    def refuse_all(self) -> None:
        assert list(self.waiting) == self.dispatcher.flush(self.now)
        self.waiting.clear()

    def expire(self) -> None:
        for ticket in self.dispatcher.expire(self.now):
            assert self.waiting.pop(ticket) + self.deadline <= self.now

    def sample(self) -> None:
        sample = self.dispatcher.sample(self.now)
        self.sampled = self.now
        self.metered = bool(sample.concurrency or sample.requests or sample.in_flight or sample.waiting)
        loads = {one.instance: Load(one.in_flight, one.idle) for one in sample.instances}
        self.tell_control(
            lambda: self.fleet.usage(
                sample.concurrency, sample.in_flight, sample.waiting, loads, self.now, sample.requests
            )
        )

    # What happens, by chance

    def arrives(self) -> None:
        if not self.metered:
            self.metered, self.sampled = True, self.now
            self.dispatcher.restart_sampling(self.now)
        ticket = next(self.tickets)
        try:
            instance = self.dispatcher.acquire(ticket, self.now)
        except QueueFull:
            assert len(self.waiting) >= QUEUE
            return
        if instance is not None:
            self.assigned(ticket, instance, waited=False)
        else:
            self.waiting[ticket] = self.now
            self.demand()

    def many_arrive(self) -> None:
        for _ in range(self.draw.randint(2, 3 * self.concurrency)):
            self.arrives()

    def ends(self) -> None:
        if self.served:
            ticket = self.draw.choice(list(self.served))
            self.release(self.served.pop(ticket))

    def release(self, id: str) -> None:
        instance = self.dispatcher.instances[id]
        self.used[id] = next(self.clock)
        command = self.dispatcher.release(instance, self.now)
        if isinstance(command, Drained):
            if self.told:
                self.tell_drained(id)
        elif command is not None:
            self.assign_all([command])

    def cancelled(self) -> None:
        if self.waiting:
            ticket = self.draw.choice(list(self.waiting))
            del self.waiting[ticket]
            assert self.dispatcher.cancel(ticket, self.now)

    def starts(self) -> None:
        for id in [id for id, phase in self.engine.items() if phase == "starting"]:
            if self.draw.random() < 0.7:
                self.became_ready(id)

    def start_fails(self) -> None:
        if starting := [id for id, phase in self.engine.items() if phase == "starting"]:
            self.exit(self.draw.choice(starting), "exit(1)")

    def crashes(self) -> None:
        if self.engine:
            id = self.draw.choice(list(self.engine))
            self.exit(id, "exit(1)" if self.engine[id] == "starting" else "")

    def stopped_ones_end(self) -> None:
        for id in [id for id, phase in self.engine.items() if phase == "stopping"]:
            self.exit(id, "")

    def cannot_be_reached(self) -> None:
        """By a request that has just been sent to it, which then waits again, before all others."""
        active = [t for t, id in self.served.items() if self.dispatcher.instances[id].state is Slot.ACTIVE]
        if not active:
            return
        ticket = self.draw.choice(active)
        id = self.served.pop(ticket)
        self.unreachable.add(id)
        self.dispatcher.fail(self.dispatcher.instances[id])
        self.tell_control(lambda: self.fleet.failed(id, self.now))
        self.release(id)
        arrived = self.now - self.draw.random() * 5
        instance = self.dispatcher.retry(ticket, arrived, self.now)
        if instance is not None:
            self.assigned(ticket, instance, waited=False)
        else:
            self.waiting[ticket] = arrived
            self.waiting.move_to_end(ticket, last=False)
            self.demand()

    def limits_change(self) -> None:
        low, high = self.draw.randint(0, 2), self.draw.randint(2, 5)
        fixed = self.draw.choice((None, None, None, 0, 1, 3))
        self.limits = Scaling(self.concurrency, low, high, fixed)
        self.carry_out(self.fleet.configure(self.limits, self.now))

    def wavers(self) -> None:
        """It goes down and up again before either side has heard what the other makes of it."""
        for fixed in (3, 1, 3, 1, None):
            self.limits = Scaling(self.concurrency, 0, 4, fixed)
            self.carry_out(self.fleet.configure(self.limits, self.now))
            while self.to_router and self.draw.random() < 0.7:
                self.to_router.popleft()()
            if self.draw.random() < 0.5:
                self.arrives()

    def is_held(self) -> None:
        self.fleet.held = not self.fleet.held

    def uses_cpu(self) -> None:
        cores = self.draw.random() * 4
        self.carry_out(self.fleet.cpu(cores, self.now, span=5))

    def time_passes(self, seconds: float | None = None) -> None:
        end = self.now + (self.draw.choice((0.01, 0.3, 1, 1, 3, 15, 70)) if seconds is None else seconds)
        while self.now < end:
            expires, wake = self.dispatcher.expires, self.fleet.wake
            due = [when for when in (expires, wake, self.sampled + 1 if self.metered else None) if when is not None]
            self.now = max(self.now, min([end, *due]))
            if expires is not None and expires <= self.now:
                self.expire()
            if self.metered and self.now >= self.sampled + 1:
                self.sample()
            if wake is not None and wake <= self.now:
                self.carry_out(self.fleet.tick(self.now))
            if self.draw.random() < 0.8:
                self.messages_arrive()

    def messages_arrive(self) -> None:
        while self.to_router or self.to_control:
            for queue in (self.to_router, self.to_control):
                if queue:
                    queue.popleft()()

    def router_is_killed(self) -> None:
        """Its requests are lost; the new one learns all from control."""
        self.to_router.clear()
        self.to_control.clear()
        self.waiting.clear()
        self.served.clear()
        self.dispatcher, self.metered = self.new_dispatcher(), False
        self.turns_heard = dict(self.turns)
        self.carry_out(self.fleet.lost_sight(self.now))
        self.snapshot()

    def control_is_killed(self) -> None:
        """The new one finds what runs, and hears of the load."""
        self.to_router.clear()
        self.to_control.clear()
        self.fleet = self.new_fleet()
        self.turns, self.turns_heard = {}, {}
        for id, phase in list(self.engine.items()):
            record = Record(id, self.now)
            if phase == "ready" and id not in self.unreachable:
                record.state, record.ready_at, record.idle_since = State.READY, self.now, self.now
            elif phase != "starting":
                # It is somebody else's to bury: the router hears that it is gone.
                del self.engine[id]
                self.gone(id)
                continue
            self.fleet.adopt([record])
        self.carry_out(self.fleet.configure(self.limits, self.now))
        self.told = False
        self.snapshot()
        self.demand()

    def snapshot(self) -> None:
        self.to_router.append(self.hear)
        states = {id: record.state for id, record in self.fleet.instances.items()}
        for id in [id for id in self.dispatcher.instances if id not in states]:
            self.gone(id)
        for id, state in states.items():
            if state is State.READY:
                self.to_router.append(lambda id=id: self.up(id))  # type: ignore[misc]
            elif state is State.DRAINING:
                self.to_router.append(lambda id=id: self.drain(id))  # type: ignore[misc]

    def hear(self) -> None:
        self.told = True

    # What must hold

    def check(self) -> None:
        loads = dict.fromkeys(self.dispatcher.instances, 0)
        for id in self.served.values():
            loads[id] += 1
        for id, instance in self.dispatcher.instances.items():
            assert instance.in_flight == loads[id] <= self.concurrency
        assert self.dispatcher.waiting == len(self.waiting)
        leaving = [i.in_flight for i in self.dispatcher.instances.values() if i.state is not Slot.ACTIVE]
        assert self.dispatcher.leaving == sum(leaving)
        if self.waiting:
            active = [i for i in self.dispatcher.instances.values() if i.state is Slot.ACTIVE]
            assert all(i.in_flight == self.concurrency for i in active), "somebody waits while a slot is free"
        assert set(self.fleet.instances) == set(self.engine), "an instance is forgotten"
        present = self.fleet.count(State.STARTING, State.READY)
        if present < self.fleet.minimum:
            assert self.fleet.wake is not None and self.fleet.wake <= self.now + 61, "nobody sees to the minimum"

    def settle(self) -> None:
        """Nothing goes wrong any more: everybody who waits is answered, and what is not needed ends."""
        self.fleet.held = False
        for _ in range(40):
            self.messages_arrive()
            self.stopped_ones_end()
            for id in [id for id, phase in self.engine.items() if phase == "starting"]:
                self.became_ready(id)
            self.messages_arrive()
            while self.served:
                self.ends()
                self.check()
            self.time_passes(self.draw.choice((1, 5, 30)))
            self.check()
        assert not self.waiting and not self.served
        for _ in range(4):
            self.time_passes(400)
            self.messages_arrive()
            self.stopped_ones_end()
        assert len(self.engine) == self.fleet.minimum, self.fleet


HAPPENINGS: list[tuple[Callable[[Model], Any], int]] = [
    (Model.arrives, 20),
    (Model.many_arrive, 6),
    (Model.ends, 20),
    (Model.cancelled, 3),
    (Model.starts, 12),
    (Model.start_fails, 2),
    (Model.crashes, 2),
    (Model.stopped_ones_end, 4),
    (Model.cannot_be_reached, 2),
    (Model.limits_change, 2),
    (Model.wavers, 2),
    (Model.is_held, 1),
    (Model.uses_cpu, 1),
    (Model.time_passes, 14),
    (Model.messages_arrive, 14),
    (Model.router_is_killed, 1),
    (Model.control_is_killed, 1),
]


@settings(max_examples=max(settings.default.max_examples, examples(150)) if settings.default else 150)
@given(st.integers(0, 2**48))
def test_whatever_happens_slots_are_exact_nobody_is_forgotten_and_the_limits_hold(seed: int) -> None:
    model = Model(seed)
    happenings, weights = zip(*HAPPENINGS, strict=True)
    for happen in model.draw.choices(happenings, weights, k=STEPS):
        happen(model)
        model.check()
    model.settle()


@pytest.mark.parametrize("concurrency", [1, 4, 80])
def test_a_constant_load_leads_to_a_constant_number(concurrency: int) -> None:
    """Requests of two seconds that come at equal distances: after a while nothing starts, and nothing stops."""
    fleet = Fleet(Scaling(concurrency), 300, lambda: f"i{next(ids)}")
    ids, dispatcher = count(), Dispatcher[int, Instance](concurrency, 10, 1000, 0.0)
    ends: deque[tuple[float, Instance]] = deque()
    changed = 0.0
    for step in range(6000):
        now = step / 5
        commands: list[Command] = []
        while ends and ends[0][0] <= now:
            released = dispatcher.release(ends.popleft()[1], now)
            if isinstance(released, Assign):
                ends.append((now + 2, released.instance))
            elif released is not None:
                commands += fleet.drained(released.instance.id, now)
        instance = dispatcher.acquire(step, now)
        if instance is None:
            commands += fleet.demand(dispatcher.in_flight, dispatcher.waiting, now)
        else:
            ends.append((now + 2, instance))
        if step % 5 == 0:
            s = dispatcher.sample(now)
            loads = {one.instance: Load(one.in_flight, one.idle) for one in s.instances}
            commands += fleet.usage(s.concurrency, s.in_flight, s.waiting, loads, now, s.requests)
        for command in commands:
            changed = now
            match command:
                case Start(id):
                    fleet.ready(id, now)
                    ends.extend((now + 2, assigned.instance) for assigned in dispatcher.up(Instance(id), now))
                case Drain(id):
                    if (drained := dispatcher.drain(dispatcher.instances[id])) is not None:
                        fleet.drained(drained.instance.id, now)
                        dispatcher.gone(drained.instance, now)
                        fleet.exited(id, now)
                case Stop(id):
                    dispatcher.gone(dispatcher.instances[id], now)
                    fleet.exited(id, now)
    assert changed < 600
    assert fleet.count(State.READY) == -(-10 // (0.6 * concurrency)) // 1
