from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from homerun.core.autoscaler import Scaling
from homerun.core.fleet import Command, Drain, Fleet, Load, Recall, Resume, Start, Stop, Withhold
from homerun.core.instance import Instance, State
from tests.support.examples import examples


def numbered() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"i{next(numbers)}"


def fleet(concurrency: int = 10, min: int = 0, max: int = 100, fixed: int | None = None, idle: float = 300) -> Fleet:
    return Fleet(Scaling(concurrency, min, max, fixed), idle, numbered())


def test_a_waiting_request_starts_one_instance_and_only_one() -> None:
    f = fleet()
    assert f.demand(0, 1, now=0) == [Start("i1")]
    assert f.demand(0, 2, now=0.001) == []


def test_a_burst_starts_many_in_parallel() -> None:
    assert fleet(concurrency=1).demand(0, 3, now=0) == [Start("i1"), Start("i2"), Start("i3")]


def test_an_idle_instance_is_drained_after_the_idle_time_then_stopped() -> None:
    f = fleet(idle=30)
    f.demand(0, 1, now=0)
    f.ready("i1", now=0.02)
    f.usage(0.1, 0, 0, {"i1": Load(0, 0)}, now=1)
    assert f.wake == 31
    assert f.tick(now=30.9) == []
    assert f.tick(now=31) == [Drain("i1")]
    assert f.drained("i1", now=31.1) == [Stop("i1")]
    assert f.exited("i1", now=31.2) == []
    assert f.instances == {}
    assert f.wake is None


def test_a_busy_instance_is_never_drained() -> None:
    f = fleet(idle=30)
    f.demand(0, 1, now=0)
    f.ready("i1", now=0.02)
    f.usage(1, 1, 0, {"i1": Load(1, 0)}, now=1)
    assert f.tick(now=1000) == []
    assert f.wake is None


def test_what_a_lost_router_had_in_flight_is_in_flight_no_more() -> None:
    f = fleet(concurrency=1, idle=30)
    f.demand(0, 1, now=0)
    f.ready("i1", now=1)
    f.usage(1, 1, 1, {"i1": Load(1, 0)}, now=2)
    assert f.lost_sight(now=10) == []
    assert f.instances["i1"].in_flight == 0
    assert f.tick(now=39.9) == []
    assert f.tick(now=40) == [Drain("i1")]


def test_the_longest_idle_instance_goes_first_and_only_as_many_as_are_too_many() -> None:
    f = fleet(concurrency=1, idle=30)
    f.demand(0, 3, now=0)
    for id in ("i1", "i2", "i3"):
        f.ready(id, now=1)
    loads = {"i1": Load(0, 5), "i2": Load(0, 9), "i3": Load(1, 0)}
    f.usage(1, 1, 0, loads, now=10)
    assert f.tick(now=40.5) == [Drain("i2"), Drain("i1")]


def test_beside_others_that_are_quick_an_idle_instance_goes_sooner() -> None:
    f = fleet(concurrency=1, idle=30)
    f.demand(0, 2, now=0)
    for id in ("i1", "i2"):
        f.ready(id, now=1)
    loads = {"i1": Load(0, 1), "i2": Load(1, 0)}
    assert f.usage(0.5, 1, 0, loads, now=10, ended=10_000) == []
    assert f.wake == pytest.approx(9 + 30 / 10)
    assert f.tick(now=13) == [Drain("i1")]
    assert f.history[-1].note == "idle beside others"


def test_the_minimum_stays_and_costs_no_wake_up() -> None:
    f = fleet(min=1, idle=30)
    assert f.tick(now=0) == [Start("i1")]
    f.ready("i1", now=1)
    assert f.tick(now=1000) == []
    assert f.wake is None


def test_instances_held_by_the_metric_are_looked_at_again_but_not_in_a_loop() -> None:
    f = fleet(concurrency=1, idle=5)
    f.demand(0, 2, now=0)
    f.ready("i1", now=0)
    f.ready("i2", now=0)
    for second in range(1, 61):
        f.usage(2, 2, 0, {"i1": Load(1, 0), "i2": Load(1, 0)}, now=second)
    f.usage(0, 0, 0, {"i1": Load(0, 0), "i2": Load(0, 0)}, now=61)
    assert f.tick(now=66) == []
    assert f.wake == 67


def test_manual_scaling_holds_a_number_and_shrinks_at_once() -> None:
    f = fleet(fixed=2)
    assert f.tick(now=0) == [Start("i1"), Start("i2")]
    f.ready("i1", now=1)
    f.ready("i2", now=1)
    assert f.configure(Scaling(10, fixed=1), now=2) == [Drain("i1")]
    assert (f.history[-1].decision.reason, f.history[-1].note) == ("manual scaling: 1", "")


def test_the_deployment_check_starts_one_instance_without_traffic() -> None:
    f = fleet()
    assert f.check(now=0) == [Start("i1")]
    assert f.history[-1].decision.reason == "deployment check"
    assert f.ready("i1", now=1) == []
    assert f.average_startup == 1


def test_a_check_of_several_is_over_when_all_that_did_not_fail_are_ready() -> None:
    f = fleet()
    assert f.check(now=0, number=3) == [Start("i1"), Start("i2"), Start("i3")]
    f.ready("i1", now=1)
    f.exited("i2", now=1, failure="exit(1)")
    assert f.checking and not f.hopeless
    f.ready("i3", now=2)
    assert not f.checking
    f.check(now=3, number=4)
    f.exited("i1", now=3.5)
    f.exited("i3", now=3.5)
    f.exited("i4", now=4, failure="exit(1)")
    f.exited("i5", now=4, failure="exit(1)")
    assert not f.checking and f.hopeless, "nothing is left to wait for"


def test_a_failed_check_is_not_repeated() -> None:
    f = fleet()
    f.check(now=0)
    assert f.exited("i1", now=1, failure="exit(1)") == []
    assert f.failure == "exit(1)"
    assert f.tick(now=1000) == []


def test_failed_starts_back_off_and_then_one_tries() -> None:
    f = fleet(concurrency=1)
    f.demand(0, 3, now=0)
    for id in ("i1", "i2", "i3"):
        f.exited(id, now=1, failure="exit(1)")
    assert f.demand(0, 3, now=1.5) == []
    assert f.demand(0, 3, now=5) == [Start("i4")]
    assert f.ready("i4", now=6) == [Start("i5"), Start("i6")], "it works again: now the others"
    assert f.failure == ""
    assert f.demand(1, 2, now=6) == []


def test_a_start_that_fails_beside_others_takes_nothing_from_those_who_wait() -> None:
    f = fleet(concurrency=1)
    f.demand(0, 3, now=0)
    assert f.exited("i1", now=1, failure="exit(1)") == []
    assert not f.hopeless
    assert f.ready("i2", now=1.5) == [Start("i4")]
    f.ready("i3", now=1.5)
    assert f.demand(2, 1, now=1.6) == []
    f.exited("i4", now=2, failure="exit(1)")
    assert f.wake == pytest.approx(3), "the one that still waits is not forgotten"
    assert f.tick(now=3) == [Start("i5")]


def test_why_nothing_is_started_is_told_once() -> None:
    f = fleet(concurrency=1)
    f.demand(0, 1, now=0)
    f.exited("i1", now=1, failure="exit(1)")
    assert f.hopeless
    for now in (1.2, 1.4, 1.6):
        assert f.demand(0, 1, now) == []
    assert [entry.note for entry in f.history] == ["", "the last start failed: one is tried again after a while"]


def test_what_leaving_instances_still_answer_starts_no_others() -> None:
    f = fleet(concurrency=10, min=1)
    f.tick(now=0)
    f.adopt([Instance("old", created=0, state=State.DRAINING, ready_at=0)])
    f.ready("i1", now=1)
    assert f.usage(14, 14, 0, {"i1": Load(4, 0), "old": Load(10, 0)}, now=2) == []
    assert f.usage(20, 20, 3, {"i1": Load(10, 0), "old": Load(10, 0)}, now=3) == [Start("i2")]


def test_cpu_starts_instances_as_well() -> None:
    f = fleet(concurrency=80)
    f.demand(0, 1, now=0)
    f.ready("i1", now=0)
    started: list[Command] = []
    for second in range(1, 61):
        started += f.usage(1, 1, 0, {"i1": Load(1, 0)}, now=second)
        started += f.cpu(1.0, now=second)
    assert started == [Start("i2")]
    assert f.history[-1].decision.driver == "cpu"


def test_what_is_held_is_not_given_up() -> None:
    f = fleet(fixed=2)
    f.tick(now=0)
    f.ready("i1", now=1)
    f.ready("i2", now=1)
    f.held = True
    assert f.configure(Scaling(10, fixed=0), now=2) == []
    f.held = False
    assert f.tick(now=3) == [Drain("i1"), Drain("i2")]


def test_the_minimum_is_tried_again_after_the_back_off() -> None:
    f = fleet(min=1)
    f.tick(now=0)
    assert f.exited("i1", now=1, failure="exit(1)") == []
    assert f.wake == 2
    assert f.tick(now=2) == [Start("i2")]


def test_a_crash_of_an_instance_that_lived_is_replaced_at_once() -> None:
    f = fleet(min=1)
    f.tick(now=0)
    f.ready("i1", now=1)
    assert f.exited("i1", now=100) == [Start("i2")]
    assert f.failure == ""


def test_a_crash_soon_after_ready_counts_as_a_crash_loop() -> None:
    f = fleet(min=1)
    f.tick(now=0)
    f.ready("i1", now=1)
    assert f.exited("i1", now=2) == []
    assert f.tick(now=3) == [Start("i2")]


def test_a_crash_loop_is_slowed_down_although_each_instance_becomes_ready_until_one_stays() -> None:
    f, now, starts = fleet(min=1), 0.0, []
    f.tick(now)
    for number in range(1, 9):
        f.ready(f"i{number}", now)
        f.exited(f"i{number}", now + 0.1)
        assert f.wake is not None
        starts.append(f.wake - now)
        now = f.wake
        assert f.tick(now) == [Start(f"i{number + 1}")]
    assert starts[:3] == pytest.approx([1.1, 2.1, 4.1]) and starts[-1] == pytest.approx(10.1)
    f.ready("i9", now)
    assert f.demand(30, 30, now + 5) == [Start("i10")], "one, to see"
    assert len(f.demand(30, 30, now + 10)) == 4, "this one stays"


def test_an_instance_that_the_router_cannot_reach_is_stopped_and_replaced() -> None:
    f = fleet(min=1)
    f.tick(now=0)
    f.ready("i1", now=1)
    assert f.failed("i1", now=50) == [Stop("i1"), Start("i2")]
    assert f.failed("i1", now=51) == []


def test_closing_drains_what_is_ready_and_stops_what_starts() -> None:
    f = fleet(concurrency=1)
    f.demand(0, 2, now=0)
    f.ready("i1", now=1)
    assert f.close(now=2) == [Drain("i1"), Stop("i2")]
    assert f.tick(now=3) == []
    assert f.wake is None


def test_news_of_unknown_instances_is_ignored() -> None:
    f = fleet()
    assert f.ready("x", 0) == f.drained("x", 0) == f.exited("x", 0) == f.failed("x", 0) == []
    assert f.usage(0, 0, 0, {"x": Load(1, 0)}, now=1) == []


def test_an_adopted_instance_counts() -> None:
    f = fleet(min=1)
    f.adopt([Instance("old", created=0, state=State.READY, ready_at=0, idle_since=0)])
    assert f.tick(now=5) == []
    assert repr(f) == "<Fleet 1 ready>"


def test_its_repr_says_empty_and_closed() -> None:
    f = fleet()
    f.close(now=0)
    assert repr(f) == "<Fleet empty, closed>"


def test_one_that_is_not_ready_gets_nothing_and_another_stands_in_for_it() -> None:
    f = fleet(idle=30)
    f.demand(0, 1, now=0)
    f.ready("i1", now=1)
    f.usage(1, 1, 0, {"i1": Load(1, 0)}, now=2)
    assert f.unready("i1", now=3) == [Withhold("i1"), Start("i2")]
    assert f.unready("i1", now=4) == [], "known"
    assert f.ready("i2", now=4) == []
    assert f.ready_again("i1", now=9) == [Resume("i1")]
    assert f.ready_again("i1", now=10) == []
    assert f.instances["i1"].ready_at == 1
    assert f.average_startup == 1, "it did not start again"


def test_whoever_is_not_ready_counts_for_the_maximum() -> None:
    f = fleet(max=1)
    f.demand(0, 1, now=0)
    f.ready("i1", now=1)
    assert f.unready("i1", now=3) == [Withhold("i1")]
    assert f.demand(0, 5, now=4) == []
    assert not f.hopeless


def test_if_none_gets_ready_each_is_stood_in_for_once() -> None:
    f = fleet(min=2)
    f.tick(now=0)
    for id in ("i1", "i2"):
        f.ready(id, now=1)
    assert f.unready("i1", now=2) == [Withhold("i1"), Start("i3")]
    assert f.unready("i2", now=2) == [Withhold("i2"), Start("i4")]
    for id in ("i3", "i4"):
        f.ready(id, now=3)
        assert f.unready(id, now=20) == [Withhold(id)]
    assert f.short == 2


def test_of_idle_instances_those_that_are_not_ready_go_first_each_when_its_time_is_over() -> None:
    f = fleet(min=1, idle=30)
    f.tick(now=0)
    f.ready("i1", now=1)
    assert f.unready("i1", now=2) == [Withhold("i1"), Start("i2")]
    f.ready("i2", now=3)
    f.usage(0, 0, 0, {"i1": Load(0, 0), "i2": Load(0, 20)}, now=10)
    kept = f.wake
    assert kept is not None and 10 < kept <= 40
    assert f.tick(now=kept) == [Drain("i1")]
    assert f.wake is None


def test_one_that_is_not_ready_can_be_told_to_go_or_be_lost() -> None:
    f = fleet()
    f.demand(0, 2, now=0)
    f.ready("i1", now=1)
    f.usage(1, 1, 0, {"i1": Load(1, 0)}, now=2)
    f.unready("i1", now=3)
    f.lost_sight(now=4)
    assert f.instances["i1"].idle_since == 4
    assert f.close(now=5) == [Drain("i1"), Stop("i2")]
    assert f.drained("i1", now=6) == [Stop("i1")]


def test_one_that_is_not_alive_is_followed_at_once_by_another_and_the_next_ones_later_and_later() -> None:
    f = fleet(min=1)
    f.tick(now=0)
    now, waits = 0.0, []
    for number in range(1, 8):
        f.ready(f"i{number}", now=now)
        now += 30
        commands = f.exited(f"i{number}", now=now, ill=True)
        waited = 0.0 if commands else (f.wake or 0) - now
        assert commands or f.history[-1].note.endswith("others start after a while")
        now += waited
        assert (commands or f.tick(now)) == [Start(f"i{number + 1}")]
        waits.append(waited)
    assert waits == [0, 1, 2, 4, 8, 10, 10]
    f.ready("i8", now=now)
    assert f.exited("i8", now=now + 700, ill=True) == [Start("i9")], "what was so long ago has nothing to do with it"


def test_one_that_is_not_alive_soon_after_it_became_ready_is_a_crash_as_well() -> None:
    f = fleet(min=1)
    f.tick(now=0)
    f.ready("i1", now=1)
    assert f.exited("i1", now=4, ill=True) == []
    assert f.tick(now=5) == [Start("i2")]


class FleetModel(RuleBasedStateMachine):
    """Random loads, starts, crashes and time: what must always hold, holds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.min, self.max = 1, 5
        self.fleet = Fleet(Scaling(2, self.min, self.max), 20, numbered())
        self.alive: dict[str, str] = {}
        self.ailing: set[str] = set()
        """Whose probe says that they are not ready."""
        self.carry_out(self.fleet.tick(self.now))

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Start(id):
                    assert id not in self.alive
                    self.alive[id] = "starting"
                case Drain(id):
                    assert self.alive[id] in ("ready", "unready")
                    self.alive[id] = "draining"
                case Recall(id):
                    assert self.alive[id] == "draining" and id not in self.ailing
                    self.alive[id] = "ready"
                case Stop(id):
                    assert self.alive[id] in ("starting", "ready", "draining")
                    self.alive[id] = "stopping"
                case Withhold(id):
                    assert self.alive[id] == "ready"
                    self.alive[id] = "unready"
                case Resume(id):
                    assert self.alive[id] == "unready"
                    self.alive[id] = "ready"

    def some(self, data: st.DataObject, *states: str) -> str:
        return data.draw(st.sampled_from(sorted(id for id, s in self.alive.items() if s in states)))

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(self.fleet.tick(self.now))

    @rule(in_flight=st.integers(0, 20), waiting=st.integers(0, 20))
    def demand(self, in_flight: int, waiting: int) -> None:
        self.carry_out(self.fleet.demand(in_flight, waiting, self.now))

    @rule(concurrency=st.floats(0, 20), idle=st.floats(0, 30))
    def usage(self, concurrency: float, idle: float) -> None:
        loads = {id: Load(0, idle) for id, state in self.alive.items() if state in ("ready", "unready")}
        self.carry_out(self.fleet.usage(concurrency, 0, 0, loads, self.now))

    @precondition(lambda self: "starting" in self.alive.values())
    @rule(data=st.data())
    def becomes_ready(self, data: st.DataObject) -> None:
        id = self.some(data, "starting")
        self.alive[id] = "ready"
        self.carry_out(self.fleet.ready(id, self.now))

    @precondition(lambda self: {"ready", "draining"} & {*self.alive.values()})
    @rule(data=st.data())
    def is_not_ready(self, data: st.DataObject) -> None:
        id = self.some(data, "ready", "draining")
        self.ailing.add(id)
        self.carry_out(self.fleet.unready(id, self.now))

    @precondition(lambda self: {"unready", "draining"} & {*self.alive.values()})
    @rule(data=st.data())
    def is_ready_again(self, data: st.DataObject) -> None:
        id = self.some(data, "unready", "draining")
        self.ailing.discard(id)
        self.carry_out(self.fleet.ready_again(id, self.now))

    @precondition(lambda self: "draining" in self.alive.values())
    @rule(data=st.data())
    def drained(self, data: st.DataObject) -> None:
        self.carry_out(self.fleet.drained(self.some(data, "draining"), self.now))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), ill=st.booleans())
    def exits(self, data: st.DataObject, ill: bool) -> None:
        id = self.some(data, "starting", "ready", "unready", "draining", "stopping")
        ill = ill and self.alive.pop(id) in ("ready", "unready")
        self.alive.pop(id, None)
        self.carry_out(self.fleet.exited(id, self.now, "it crashed", ill=ill))

    @invariant()
    def knows_exactly_what_is_alive(self) -> None:
        assert set(self.fleet.instances) == set(self.alive)

    @invariant()
    def never_more_than_the_maximum_takes_requests(self) -> None:
        assert self.fleet.count(State.STARTING, State.READY, State.UNREADY) <= self.max

    @invariant()
    def the_minimum_is_there_or_will_be_tried(self) -> None:
        if self.fleet.count(State.STARTING, State.READY, State.UNREADY) < self.min:
            wake = self.fleet.wake
            assert wake is not None and wake <= self.now + 61


FleetModel.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
TestFleetModel = FleetModel.TestCase


def test_usage_of_a_scaled_down_second_is_no_reason_to_start() -> None:
    f = fleet(concurrency=1)
    f.demand(0, 1, now=0)
    f.ready("i1", now=0.1)
    assert f.usage(1, 1, 0, {"i1": Load(1, 0)}, now=1) == []
    assert pytest.approx(0.1) == f.average_startup


def test_a_load_that_became_smaller_is_gathered_on_as_many_as_it_needs() -> None:
    f = fleet(concurrency=10)
    f.demand(0, 40, now=0)
    for id in ("i1", "i2", "i3", "i4"):
        f.ready(id, now=1)
    drained: list[Command] = []
    for second in range(2, 400):
        loads = {f"i{n}": Load(1, 0) for n in range(1, 5) if f.instances[f"i{n}"].state is State.READY}
        drained += f.usage(len(loads), len(loads), 0, loads, now=second, ended=4)
    assert drained == [Drain("i1"), Drain("i2"), Drain("i3")]
    assert f.history[-1].note == "the load fits on those that stay"


def test_manual_scaling_shrinks_although_all_are_busy() -> None:
    f = fleet(fixed=3)
    f.tick(now=0)
    for id in ("i1", "i2", "i3"):
        f.ready(id, now=1)
    f.usage(30, 30, 0, {id: Load(10, 0) for id in f.instances}, now=2)
    assert f.configure(Scaling(10, fixed=1), now=3) == [Drain("i1"), Drain("i2")]


def test_who_is_served_before_a_start_could_end_starts_nothing() -> None:
    f = fleet(concurrency=1)
    f.demand(0, 1, now=0)
    f.ready("i1", now=2)
    f.usage(1, 1, 0, {"i1": Load(1, 0)}, now=3, ended=5)
    assert f.demand(1, 10, now=3.1) == [], "ten are served in the two seconds that a start takes"
    assert f.demand(1, 11, now=3.2) != []


def test_the_last_instance_is_kept_as_long_as_pauses_say() -> None:
    f, now = fleet(idle=300), 0.0
    f.demand(0, 1, now)
    f.ready("i1", now)
    for _ in range(6):
        f.usage(1, 1, 0, {"i1": Load(1, 0)}, now + 1, ended=1)
        f.usage(0, 0, 0, {"i1": Load(0, 1)}, now + 2)
        assert f.wake is not None
        kept = f.wake - (now + 1)
        now += 100
    assert kept == pytest.approx(99 * 1.25, abs=2)
    assert f.tick(f.wake) == [Drain("i1")]
    assert f.history[-1].note == "125 s idle, in which 5 of the last 5 pauses ended"


def test_what_never_came_to_be_is_tried_once_more_at_once() -> None:
    """The OCI runtime was killed, say: that is no fault of the revision's, and whoever waits hears nothing of it."""
    f = fleet(concurrency=1)
    f.demand(0, 1, now=0)
    assert f.exited("i1", now=0.01, failure="crun was killed", unborn=True) == [Start("i2")]
    assert not f.hopeless and not f.failure
    assert f.exited("i2", now=0.02, failure="crun was killed", unborn=True) == []
    assert f.hopeless and f.failure == "crun was killed"
    assert f.demand(0, 1, now=0.03) == [], "the third time is not at once"


def test_a_check_does_not_try_twice() -> None:
    f = fleet()
    f.check(now=0)
    assert f.exited("i1", now=1, failure="no such program", unborn=True) == []
    assert f.hopeless and not f.checking


def leaving(min: int = 0) -> Fleet:
    """Two of concurrency 10, of which the second is draining with three requests."""
    f = fleet(concurrency=10, min=min)
    f.demand(0, 11, now=0)
    f.ready("i1", now=1)
    f.ready("i2", now=1)
    for second in range(2, 100):
        if f.usage(7, 7, 0, {"i1": Load(4, 0), "i2": Load(3, 0)}, now=second):
            break
    assert f.instances["i2"].state is State.DRAINING
    return f


def test_what_drains_is_taken_back_before_another_is_started() -> None:
    f = leaving()
    assert f.demand(10, 2, now=200) == [Recall("i2")]
    assert f.instances["i2"].state is State.READY and f.history[-1].note == "what was leaving is used again"
    assert f.drained("i2", now=200.1) == [], "that was said too early"
    assert f.demand(13, 9, now=200.2) == [Start("i3")], "it had less room than was needed"


def test_only_as_many_come_back_as_are_needed_and_the_rest_is_started() -> None:
    f = leaving()
    assert f.demand(10, 35, now=200) == [Recall("i2"), Start("i3"), Start("i4"), Start("i5")]
    assert f.demand(10, 35, now=200) == []


def test_what_is_full_not_ready_or_not_alive_does_not_come_back() -> None:
    full = leaving()
    full.usage(20, 20, 0, {"i1": Load(10, 0), "i2": Load(10, 0)}, now=200)
    assert full.demand(10, 2, now=200.1) == [Start("i3")]
    unready = leaving()
    assert unready.unready("i2", now=200) == []
    assert unready.demand(10, 2, now=200.1) == [Start("i3")]
    assert unready.ready_again("i2", now=201) == []
    assert unready.demand(10, 15, now=201.1) == [Recall("i2")]
    ill = leaving()
    ill.unwell("i2")
    assert ill.demand(10, 2, now=200.1) == [Start("i3")]


def test_during_a_back_off_what_drains_is_all_there_is_and_comes_back() -> None:
    f = leaving()
    f.exited("i1", now=200, failure="it crashed")
    f.demand(0, 1, now=200)
    assert f.instances["i2"].state is State.READY


def test_what_was_idle_when_it_drained_is_kept_anew_when_it_comes_back() -> None:
    f = fleet(idle=30)
    f.demand(0, 1, now=0)
    f.ready("i1", now=1)
    f.usage(0, 0, 0, {"i1": Load(0, 0)}, now=2)
    assert f.tick(now=33) == [Drain("i1")]
    assert f.demand(0, 1, now=33.001) == [Recall("i1")]
    f.demand(0, 0, now=33.002)
    assert f.tick(now=50) == [] and f.tick(now=64) == [Drain("i1")]


def test_what_a_lost_router_had_on_one_that_comes_back_keeps_it_not_for_ever() -> None:
    f = leaving()
    f.lost_sight(now=200)
    assert f.configure(Scaling(10, 2), now=200.1) == [Recall("i2")]
    assert f.configure(Scaling(10, 0), now=200.2) == []
    drained = [command for second in range(201, 900) for command in f.tick(now=second)]
    assert {*drained} == {Drain("i1"), Drain("i2")}


def test_a_closed_fleet_takes_nothing_back() -> None:
    f = leaving()
    f.close(now=200)
    assert f.demand(10, 20, now=200) == []
