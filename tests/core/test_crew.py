"""A worker pool's instances, in virtual time: what starts, what stops, when, and why."""

from __future__ import annotations

from collections import Counter
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homerun.core.crew import Checked, Command, Crew, Start, Stop
from homerun.core.instance import Instance, State
from tests.support.examples import examples

A, B, C = "pool-a", "pool-b", "pool-c"


class Pool:
    """A crew and its time. What it starts becomes ready when a test says so."""

    def __init__(self, *admitted: str) -> None:
        numbers = count(1)
        self.crew = Crew(lambda: f"i{next(numbers)}")
        self.now = 0.0
        for revision in admitted:
            self.crew.admit(revision, self.now)

    def want(self, total: int, *, settled: bool = True, **percents: int) -> list[Command]:
        shares = {f"pool-{key}": percent for key, percent in percents.items()}
        return self.crew.configure(total, shares, self.now, settled=settled)

    def ready(self, *ids: str) -> list[Command]:
        return [command for id in ids for command in self.crew.ready(id, self.now)]

    def exited(self, id: str, what: str = "Container called exit(1).", ok: bool = False) -> list[Command]:
        return self.crew.exited(id, self.now, what, ok=ok)

    def later(self, seconds: float) -> list[Command]:
        self.now += seconds
        return self.crew.tick(self.now)

    def reasons(self) -> list[str]:
        return [f"{entry.revision}: {entry.reason}" for entry in self.crew.history]


def test_every_place_is_filled_as_the_split_says() -> None:
    pool = Pool(A, B)
    started = pool.want(4, a=75, b=25)
    assert Counter(c.revision for c in started if isinstance(c, Start)) == {A: 3, B: 1}
    assert pool.want(4, a=75, b=25) == []
    assert pool.crew.wake is None
    assert pool.reasons() == [f"{A}: 75 % of 4 instances: 3 started", f"{B}: 25 % of 4 instances: 1 started"]


def test_a_pool_of_no_instances_starts_nothing_and_waits_for_nothing() -> None:
    pool = Pool(A)
    assert pool.want(0, a=100) == []
    assert pool.crew.wake is None


def test_scaling_by_hand_starts_what_is_missing_and_stops_the_youngest() -> None:
    pool = Pool(A)
    pool.want(1, a=100)
    pool.ready("i1")
    pool.later(5)
    assert pool.want(3, a=100) == [Start("i2", A), Start("i3", A)]
    pool.ready("i2")
    assert pool.want(1, a=100) == [Stop("i3"), Stop("i2")], "what is not ready goes first"
    assert pool.want(0, a=100) == [Stop("i1")]
    assert [pool.exited(id) for id in ("i1", "i2", "i3")] == [[], [], []], "they were asked to"
    assert pool.crew.instances == {}


def test_new_instances_are_ready_before_old_ones_stop() -> None:
    pool = Pool(A, B)
    pool.want(2, a=100)
    pool.ready("i1", "i2")
    assert pool.want(2, b=100) == [Start("i3", B), Start("i4", B)]
    assert pool.ready("i3") == [Stop("i2")]
    assert pool.ready("i4") == [Stop("i1")]


def test_a_change_that_also_scales_down_stops_at_once_what_nobody_takes_over_from() -> None:
    pool = Pool(A, B)
    pool.want(3, a=100)
    pool.ready("i1", "i2", "i3")
    assert pool.want(1, b=100) == [Stop("i3"), Stop("i2"), Start("i4", B)]
    assert pool.ready("i4") == [Stop("i1")]


def test_what_ends_is_followed_by_another_at_once_and_then_with_a_longer_and_longer_wait() -> None:
    pool = Pool(A)
    pool.want(1, a=100)
    waits = []
    for number in range(1, 14):
        pool.ready(f"i{number}")
        before = pool.now
        commands = pool.exited(f"i{number}")
        if not commands:
            assert pool.crew.wake is not None
            commands = pool.later(pool.crew.wake - pool.now)
        assert commands == [Start(f"i{number + 1}", A)]
        waits.append(pool.now - before)
    assert waits == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert pool.reasons()[-1] == f"{A}: i13 ended: Container called exit(1). Another starts in 300 s."


def test_a_clean_exit_is_followed_by_another_as_well() -> None:
    pool = Pool(A)
    pool.want(1, a=100)
    pool.ready("i1")
    assert pool.exited("i1", "Container called exit(0).", ok=True) == [Start("i2", A)]


def test_ten_stable_minutes_are_a_fresh_start() -> None:
    pool = Pool(A)
    pool.want(1, a=100)
    pool.exited("i1")
    pool.exited("i2")
    assert pool.later(1) == [Start("i3", A)]
    pool.ready("i3")
    pool.later(600)
    assert pool.exited("i3") == [Start("i4", A)]
    assert pool.exited("i4") == []
    assert pool.crew.wake == pool.now + 1


def test_places_back_off_each_on_its_own() -> None:
    pool = Pool(A)
    pool.want(2, a=100)
    for id in ("i1", "i3", "i4"):
        pool.exited(id)
        pool.later(10)
    assert pool.exited("i2")[0] == Start("i6", A), "the first end of this place"


def test_a_place_that_waits_is_the_first_to_go() -> None:
    pool = Pool(A)
    pool.want(2, a=100)
    pool.ready("i2")
    pool.exited("i1")
    assert pool.exited("i3") == []
    assert pool.want(1, a=100) == []
    assert pool.later(1000) == [], "its place is gone"
    assert pool.crew.wake is None


def test_a_revision_is_checked_with_one_instance_that_becomes_the_first() -> None:
    pool = Pool(A)
    pool.want(3, settled=False)
    assert pool.crew.check(A, 2, pool.now) == [Start("i1", A)]
    assert pool.ready("i1") == []
    assert pool.crew.wake == 2
    assert pool.later(2) == [Checked(A)]
    assert pool.want(3, settled=False) == [], "the pool has not seen it yet"
    assert pool.want(3, a=100) == [Start("i2", A), Start("i3", A)]


def test_a_probe_that_passes_is_check_enough() -> None:
    pool = Pool(A)
    pool.crew.check(A, 0, pool.now)
    assert pool.ready("i1") == [Checked(A)]


def test_a_check_fails_when_the_instance_does_not_stay() -> None:
    pool = Pool(A)
    pool.want(1, settled=False)
    pool.crew.check(A, 2, pool.now)
    pool.ready("i1")
    pool.later(1.9)
    ended = pool.crew.exited("i1", pool.now, "Container called exit(3).", more="Its last log line")
    assert ended == [Checked(A, "Container called exit(3). Its last log line")]
    assert pool.reasons()[-1] == f"{A}: i1 ended: Container called exit(3)."
    assert pool.later(1000) == [], "and nobody tries again"


def test_work_that_is_done_at_once_passes_the_check() -> None:
    pool = Pool(A)
    pool.want(1, settled=False)
    pool.crew.check(A, 2, pool.now)
    pool.ready("i1")
    assert pool.exited("i1", "Container called exit(0).", ok=True) == [Checked(A), Start("i2", A)]


def test_a_checked_revision_without_a_share_stops_when_the_pool_is_settled() -> None:
    pool = Pool(A, B)
    pool.want(1, a=100)
    pool.ready("i1")
    pool.want(1, settled=False, a=100)
    pool.crew.check(B, 0, pool.now)
    assert pool.ready("i2") == [Checked(B)]
    assert pool.want(1, a=100) == [Stop("i2")]


def test_the_old_revision_keeps_its_instances_when_the_new_one_fails() -> None:
    pool = Pool(A, B)
    pool.want(2, a=100)
    pool.ready("i1", "i2")
    pool.crew.check(B, 0, pool.now)
    assert pool.exited("i3") == [Checked(B, "Container called exit(1).")]
    assert pool.crew.release(B, pool.now) == []
    assert pool.want(2, a=100) == []


def test_what_ran_before_is_counted_and_not_started_again() -> None:
    pool = Pool()
    pool.crew.adopt(A, Instance("x", 0, State.READY, ready_at=0))
    pool.crew.adopt(B, Instance("y", 0))
    assert pool.crew.admit(A, 0) == []
    assert pool.want(2, settled=False, a=100) == [Start("i1", A)], "y may be a check that goes on"
    assert pool.crew.admit(B, 0) == []
    assert pool.crew.check(B, 2, 0) == [], "it does"
    pool.ready("i1", "y")
    assert pool.later(2) == [Checked(B)]
    assert pool.want(2, a=100) == [Stop("y")]


def test_a_released_revision_has_no_instances() -> None:
    pool = Pool(A)
    pool.want(2, a=100)
    pool.ready("i1")
    assert pool.crew.release(A, pool.now) == [Stop("i1"), Stop("i2")]
    assert pool.exited("i1") == []


def test_a_closed_crew_stops_everything_and_starts_nothing() -> None:
    pool = Pool(A)
    pool.want(2, a=100)
    pool.ready("i1")
    assert pool.crew.close(pool.now) == [Stop("i1"), Stop("i2")]
    assert pool.exited("i1") == pool.exited("i2") == pool.later(1000) == []
    assert pool.crew.wake is None
    assert repr(pool.crew) == "<Crew empty, closed>"


def test_late_and_unknown_news_mean_nothing() -> None:
    pool = Pool(A)
    pool.want(1, a=100)
    assert pool.ready("none") == pool.exited("none") == []
    assert pool.ready("i1") == pool.ready("i1") == []
    assert pool.crew.release("none", pool.now) == []


def test_ten_thousand_places_are_filled_and_emptied() -> None:
    pool = Pool(A)
    started = [c.id for c in pool.want(10_000, a=100) if isinstance(c, Start)]
    assert len(started) == 10_000
    assert pool.ready(*started) == []
    assert len(pool.want(0, a=100)) == 10_000


class Machine:
    """Carries commands out like a good engine: each instance ends exactly once, and each check is heard of once."""

    def __init__(self) -> None:
        self.pool = Pool(A, B, C)
        self.alive: dict[str, str] = {}
        self.stopping: set[str] = set()

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Start(id, revision):
                    assert id not in self.alive
                    self.alive[id] = revision
                case Stop(id):
                    assert id in self.alive
                    assert id not in self.stopping, "stopped twice"
                    self.stopping.add(id)

    def end(self, id: str, ok: bool) -> None:
        del self.alive[id]
        self.stopping.discard(id)
        self.carry_out(self.pool.exited(id, ok=ok))

    def calm(self) -> None:
        """Nothing new happens: everything becomes ready and what should stop stops."""
        for _ in range(20):
            for id in list(self.alive):
                if id in self.stopping:
                    self.end(id, ok=True)
                else:
                    self.carry_out(self.pool.ready(id))
            self.carry_out(self.pool.later(300))


split_percents = st.sampled_from([(100, 0, 0), (0, 100, 0), (50, 50, 0), (0, 30, 70), (34, 33, 33)])
events = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.integers(0, 7), split_percents),
        st.tuples(st.just("ready"), st.integers(0, 30), st.none()),
        st.tuples(st.just("exit"), st.integers(0, 30), st.booleans()),
        st.tuples(st.just("time"), st.floats(0, 700), st.none()),
        st.tuples(st.just("check"), st.sampled_from([A, B, C]), st.none()),
    ),
    max_size=40,
)


@given(events, st.integers(0, 7), split_percents)
@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happened_in_the_end_there_is_what_was_asked_for(
    happens: list[tuple[str, object, object]], total: int, percents: tuple[int, int, int]
) -> None:
    machine = Machine()
    for what, argument, more in happens:
        happen(machine, what, argument, more)
    a, b, c = percents
    machine.carry_out(machine.pool.want(total, a=a, b=b, c=c))
    machine.calm()
    machine.carry_out(machine.pool.want(total, a=a, b=b, c=c))
    machine.calm()
    assert len(machine.alive) == total
    assert machine.stopping == set()
    assert machine.alive.keys() == machine.pool.crew.instances.keys()


@given(events)
@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_change_of_number_or_split_takes_away_what_is_still_needed(
    happens: list[tuple[str, object, object]],
) -> None:
    machine = Machine()
    for what, argument, more in happens:
        before = ready(machine)
        happen(machine, what, argument, more)
        if what == "want":
            assert isinstance(argument, int)
            assert ready(machine) >= min(before, argument)


def happen(machine: Machine, what: str, argument: object, more: object) -> None:
    pool = machine.pool
    match what, argument, more:
        case "want", int(total), (a, b, c):
            machine.carry_out(pool.want(total, a=a, b=b, c=c))
        case "ready", int(number), _ if machine.alive:
            machine.carry_out(pool.ready(list(machine.alive)[number % len(machine.alive)]))
        case "exit", int(number), bool(ok) if machine.alive:
            machine.end(list(machine.alive)[number % len(machine.alive)], ok)
        case "time", float(seconds), _:
            machine.carry_out(pool.later(seconds))
        case "check", str(revision), _:
            machine.carry_out(pool.crew.check(revision, 2, pool.now))


def ready(machine: Machine) -> int:
    return sum(
        instance.state is State.READY and id not in machine.stopping
        for id, instance in machine.pool.crew.instances.items()
    )
