from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from homerun.core.dispatcher import Assign, Dispatcher, Drained, Instance, InstanceSample, QueueFull, Sample, State
from tests.support.examples import examples

Requests = Dispatcher[str, Instance]


def dispatcher(concurrency: int = 2, instances: int = 0, *, deadline: float = 10, limit: int = 100) -> Requests:
    made: Requests = Dispatcher(concurrency, deadline, limit, 0.0)
    for number in range(instances):
        assert made.up(Instance(f"i{number}"), 0.0) == []
    return made


def test_a_request_gets_a_slot_at_once_when_one_is_free() -> None:
    instance = dispatcher(1, 1).acquire("a", 0)
    assert instance is not None and instance.in_flight == 1


def test_a_request_waits_when_no_slot_is_free() -> None:
    requests = dispatcher(1, 1)
    requests.acquire("a", 0)
    assert requests.acquire("b", 0) is None
    assert (requests.in_flight, requests.waiting) == (1, 1)


def test_a_freed_slot_goes_to_the_request_that_waited_longest() -> None:
    requests = dispatcher(1, 1)
    instance = requests.acquire("a", 0)
    assert instance is not None
    requests.acquire("b", 0)
    requests.acquire("c", 0)
    assert requests.release(instance, 1) == Assign("b", instance)
    assert requests.release(instance, 2) == Assign("c", instance)
    assert requests.release(instance, 3) is None


def test_a_new_instance_takes_as_many_of_the_waiting_as_it_has_slots() -> None:
    requests = dispatcher(2)
    for name in "abc":
        assert requests.acquire(name, 0) is None
    instance = Instance("new")
    assert requests.up(instance, 1) == [Assign("a", instance), Assign("b", instance)]
    assert requests.waiting == 1


def test_the_least_loaded_instance_is_chosen() -> None:
    requests = dispatcher(3, 3)
    chosen = [requests.acquire(str(n), 0) for n in range(9)]
    loads = [sorted(c.id for c in chosen[at : at + 3] if c) for at in (0, 3, 6)]
    assert loads == [["i0", "i1", "i2"]] * 3
    assert requests.acquire("one more", 0) is None


def test_of_equals_the_one_used_last_is_chosen_so_that_others_fall_idle() -> None:
    requests = dispatcher(2, 5)
    used = set()
    for n in range(20):
        instance = requests.acquire(str(n), n)
        assert instance is not None
        used.add(instance.id)
        requests.release(instance, n + 0.5)
    assert len(used) == 1


def test_one_instance_can_be_claimed_as_long_as_it_has_a_slot() -> None:
    requests = dispatcher(2, 3)
    instance = requests.instances["i0"]
    assert requests.claim(instance, 0) and requests.claim(instance, 0)
    assert not requests.claim(instance, 0)
    assert [found.id for n in "abcd" if (found := requests.acquire(n, 0))] == ["i2", "i1", "i1", "i2"]
    assert requests.acquire("e", 0) is None
    assert requests.release(instance, 0) == Assign("e", instance)
    requests.drain(requests.instances["i1"])
    requests.release(requests.instances["i1"], 0)
    assert not requests.claim(requests.instances["i1"], 0)


def test_claiming_the_last_slot_of_the_least_loaded_leaves_the_others() -> None:
    requests = dispatcher(1, 2)
    assert requests.claim(requests.instances["i0"], 0)
    chosen = requests.acquire("a", 0)
    assert chosen is not None and chosen.id == "i1"


def test_a_request_that_was_broken_off_goes_to_another_instance_if_there_is_one() -> None:
    requests = dispatcher(2, 2)
    first = requests.acquire("a", 0)
    assert first is not None
    other = requests.acquire("b", 0)
    requests.release(first, 0)
    assert requests.retry("a", 0, 1, avoid=first) is other
    assert requests.retry("c", 0, 1, avoid=first) is first


def test_a_full_queue_refuses() -> None:
    requests = dispatcher(1, limit=2)
    requests.acquire("a", 0)
    requests.acquire("b", 0)
    with pytest.raises(QueueFull):
        requests.acquire("c", 0)
    assert requests.waiting == 2


def test_waiting_ends_at_the_queue_deadline() -> None:
    requests = dispatcher(1, deadline=10)
    assert requests.expires is None
    requests.acquire("a", 1)
    requests.acquire("b", 2)
    assert requests.expires == 11
    assert requests.expire(10.9) == []
    assert requests.expire(11) == ["a"]
    assert requests.expires == 12
    assert requests.expire(100) == ["b"]


def test_a_client_that_leaves_the_queue_is_not_assigned() -> None:
    requests = dispatcher(1)
    requests.acquire("a", 0)
    requests.acquire("b", 0)
    assert requests.cancel("a", 1)
    assert not requests.cancel("a", 1)
    instance = Instance("new")
    assert requests.up(instance, 2) == [Assign("b", instance)]


def test_a_request_tried_in_vain_waits_at_the_head_with_its_first_deadline() -> None:
    requests = dispatcher(1, 1, deadline=10)
    instance = requests.acquire("a", 0)
    assert instance is not None
    requests.acquire("b", 1)
    requests.fail(instance)
    assert requests.release(instance, 2) is None
    assert requests.retry("a", 0, 2) is None
    assert requests.expires == 10
    other = Instance("other")
    assert requests.up(other, 3) == [Assign("a", other)]


def test_a_request_tried_in_vain_takes_a_free_slot_of_another_instance() -> None:
    requests = dispatcher(1, 2)
    first = requests.acquire("a", 0)
    assert first is not None
    requests.fail(first)
    requests.release(first, 1)
    second = requests.retry("a", 0, 1)
    assert second is not None and second is not first


def test_everybody_is_sent_away_when_no_instance_will_come() -> None:
    requests = dispatcher(1)
    requests.acquire("a", 0)
    requests.acquire("b", 0)
    assert requests.flush(1) == ["a", "b"]
    assert requests.waiting == 0


def test_a_failed_instance_gets_nothing_until_it_is_up_again() -> None:
    requests = dispatcher(1, 1)
    (instance,) = requests.instances.values()
    requests.fail(instance)
    assert requests.acquire("a", 0) is None
    assert requests.up(instance, 1) == [Assign("a", instance)]
    assert list(requests.instances) == ["i0"]


def test_up_twice_is_up() -> None:
    requests = dispatcher(2, 1)
    (instance,) = requests.instances.values()
    assert requests.up(instance, 1) == []
    requests.acquire("a", 1)
    requests.acquire("b", 1)
    assert requests.acquire("c", 1) is None


def test_an_idle_instance_is_drained_at_once_and_each_time_that_it_is_asked() -> None:
    requests = dispatcher(1, 1)
    (instance,) = requests.instances.values()
    assert requests.drain(instance) == Drained(instance)
    assert requests.drain(instance) == Drained(instance)


def test_a_busy_instance_is_drained_with_its_last_request() -> None:
    requests = dispatcher(2, 1)
    instance = requests.acquire("a", 0)
    requests.acquire("b", 0)
    assert instance is not None
    assert requests.drain(instance) is None
    assert requests.acquire("c", 1) is None
    assert requests.release(instance, 1) is None
    assert requests.release(instance, 2) == Drained(instance)
    assert requests.waiting == 1


def test_a_draining_instance_that_comes_up_with_all_slots_taken_gets_nothing() -> None:
    requests = dispatcher(1, 1)
    instance = requests.acquire("a", 0)
    assert instance is not None
    requests.drain(instance)
    requests.acquire("b", 0)
    assert requests.up(instance, 1) == []
    assert requests.release(instance, 2) == Assign("b", instance)


def test_requests_of_an_instance_that_is_gone_count_no_more() -> None:
    requests = dispatcher(2, 2)
    instance = requests.acquire("a", 0)
    requests.acquire("b", 0)
    assert instance is not None
    requests.gone(instance, 1)
    assert requests.in_flight == 1
    assert instance.id not in requests.instances
    assert requests.release(instance, 2) is None
    assert requests.in_flight == 1


def test_a_lower_concurrency_lets_running_requests_end() -> None:
    requests = dispatcher(3, 1)
    instance = requests.acquire("a", 0)
    requests.acquire("b", 0)
    assert instance is not None
    assert requests.configure(1, 5, 1) == []
    assert requests.queue_deadline == 5
    assert requests.acquire("c", 1) is None
    assert requests.release(instance, 2) is None
    assert requests.release(instance, 3) == Assign("c", instance)


def test_a_higher_concurrency_serves_the_waiting() -> None:
    requests = dispatcher(1, 2)
    first, second = requests.acquire("a", 0), requests.acquire("b", 0)
    assert first and second
    requests.drain(second)
    for name in "cde":
        requests.acquire(name, 0)
    assert requests.configure(2, 10, 1) == [Assign("c", first)]
    assert requests.configure(2, 10, 1) == []


def test_concurrency_is_averaged_over_the_time_since_the_last_sample() -> None:
    requests = dispatcher(1, 1)
    requests.restart_sampling(100)
    instance = requests.acquire("a", 100)
    assert instance is not None
    requests.acquire("b", 101)
    requests.release(instance, 103)
    requests.release(instance, 104)
    # One for a second, two for two seconds, one for a second, none for six.
    sample = requests.sample(110)
    assert sample.concurrency == pytest.approx(0.6)
    assert (sample.in_flight, sample.waiting, sample.requests) == (0, 0, 2)
    assert requests.sample(111) == Sample(0, 0, 0, 0, [InstanceSample("i0", 0, 0, 0, 7)])


def test_two_samples_at_one_time_show_what_is_there() -> None:
    requests = dispatcher(1, 1)
    requests.acquire("a", 5)
    requests.acquire("b", 5)
    requests.sample(6)
    assert requests.sample(6).concurrency == 2


def test_busy_time_and_idle_time_of_instances() -> None:
    requests = dispatcher(2, 1)
    instance = requests.acquire("a", 10)
    requests.acquire("b", 11)
    assert instance is not None
    requests.release(instance, 12)
    assert requests.sample(13).instances == [InstanceSample("i0", 1, 3, 1, 0)]
    requests.release(instance, 14)
    assert requests.sample(18).instances == [InstanceSample("i0", 0, 1, 1, 4)]


def busy(requests: Dispatcher[str, Instance], now: float) -> list[float]:
    return [sample.busy for sample in requests.sample(now).instances]


def test_time_with_requests_is_billed_in_steps_of_100_ms() -> None:
    requests = dispatcher(2, 1)
    one = requests.acquire("a", 10)
    assert one is not None
    requests.acquire("b", 10.05)
    requests.release(one, 10.12)
    requests.release(one, 10.31)
    assert busy(requests, 11) == [pytest.approx(0.4)], "overlapping ones once"


def test_time_that_is_paid_is_paid_once() -> None:
    requests = dispatcher(1, 1)
    for at in (10.0, 10.02, 10.04, 10.09):
        one = requests.acquire("a", at)
        assert one is not None
        requests.release(one, at + 0.005)
    assert busy(requests, 11) == [pytest.approx(0.1)]
    one = requests.acquire("a", 11.0)
    assert one is not None
    requests.release(one, 11.001)
    requests.acquire("a", 11.05)
    requests.release(one, 11.15)
    assert busy(requests, 12) == [pytest.approx(0.2)], "from 11.0 to 11.15"


def test_looking_at_a_long_request_does_not_make_it_dearer() -> None:
    requests = dispatcher(1, 1)
    one = requests.acquire("a", 10)
    assert one is not None
    looks = [busy(requests, 10 + 0.37 * n)[0] for n in range(1, 10)]
    requests.release(one, 13.41)
    assert sum(looks) + busy(requests, 14)[0] == pytest.approx(3.5)


def test_what_is_gone_leaves_its_last_bill() -> None:
    requests = dispatcher(1, 1)
    one = requests.acquire("a", 10)
    assert one is not None
    requests.gone(one, 10.25)
    assert requests.sample(11).instances == [InstanceSample("i0", 0, pytest.approx(0.3), 0, 0)]
    assert requests.sample(12).instances == []


def test_reprs_say_what_is_going_on() -> None:
    requests = dispatcher(1, 1)
    instance = requests.acquire("a", 0)
    requests.acquire("b", 0)
    assert repr(requests) == "<Dispatcher 1 instances, 1 in flight, 1 waiting>"
    assert repr(instance) == "<Instance i0 active, 1 in flight>"


def test_a_thousand_instances_cost_no_more_than_one() -> None:
    """Counted in steps of the interpreter, so that no clock is involved."""
    few, many = steps_per_request(1), steps_per_request(1000)
    assert many <= few * 1.1


def steps_per_request(instances: int) -> float:
    import sys

    requests = dispatcher(80, instances)
    steps = 0

    def count(*_: object) -> object:
        nonlocal steps
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)  # type: ignore[arg-type]
    try:
        for n in range(100):
            instance = requests.acquire(str(n), n)
            assert instance is not None
            requests.release(instance, n)
    finally:
        sys.settrace(before)
    return steps / 100


class Machine(RuleBasedStateMachine):
    """The dispatcher against a model that is too simple to be wrong: a list of who waits, a set per instance."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.limit = 6
        self.concurrency = 2
        self.requests: Requests = Dispatcher(self.concurrency, 10, self.limit, 0.0)
        self.instances: dict[str, Instance] = {}
        self.queue: list[tuple[str, float]] = []
        self.running: dict[str, list[str]] = {}
        self.drained: set[str] = set()
        self.count = 0

    def active(self) -> list[Instance]:
        return [i for i in self.instances.values() if i.state is State.ACTIVE]

    def free(self) -> list[Instance]:
        return [i for i in self.active() if len(self.running[i.id]) < self.concurrency]

    def check_choice(self, chosen: Instance) -> None:
        assert chosen in self.free()
        assert len(self.running[chosen.id]) == min(len(self.running[i.id]) for i in self.free())

    def take(self, command: Assign[str, Instance]) -> None:
        """An assignment must be for the head of the queue."""
        assert self.queue.pop(0)[0] == command.ticket
        self.check_choice(command.instance)
        self.running[command.instance.id].append(command.ticket)

    @rule(seconds=st.floats(0.01, 4))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        # From the head on: whoever stands behind a request that was put back there waits as long as that one does.
        late = [ticket for ticket, _ in takewhile(lambda entry: entry[1] + 10 <= self.now, self.queue)]
        assert self.requests.expire(self.now) == late
        self.queue = [entry for entry in self.queue if entry[0] not in late]

    @rule()
    def request(self) -> None:
        self.count += 1
        ticket = f"r{self.count}"
        if not self.free() and len(self.queue) >= self.limit:
            with pytest.raises(QueueFull):
                self.requests.acquire(ticket, self.now)
            return
        chosen = self.requests.acquire(ticket, self.now)
        if chosen is None:
            assert not self.free()
            self.queue.append((ticket, self.now))
        else:
            self.check_choice(chosen)
            self.running[chosen.id].append(ticket)

    @rule(data=st.data())
    @precondition(lambda self: any(self.running.values()))
    def request_ends(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from([id for id, tickets in self.running.items() if tickets])))

    def end(self, id: str) -> str:
        instance = self.instances[id]
        ticket = self.running[id].pop(0)
        command = self.requests.release(instance, self.now)
        if isinstance(command, Drained):
            assert command.instance is instance
            assert instance.state is State.DRAINING and not self.running[id]
            assert id not in self.drained
            self.drained.add(id)
        elif command is not None:
            self.take(command)
        else:
            assert instance.state is not State.DRAINING or self.running[id] or id in self.drained
        return ticket

    @rule(data=st.data())
    @precondition(lambda self: any(self.running.values()))
    def connection_is_refused(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from([id for id, tickets in self.running.items() if tickets]))
        if self.instances[id].state is State.ACTIVE:
            self.requests.fail(self.instances[id])
        ticket = self.end(id)
        chosen = self.requests.retry(ticket, self.now, self.now)
        if chosen is None:
            assert not self.free()
            self.queue.insert(0, (ticket, self.now))
        else:
            self.check_choice(chosen)
            self.running[chosen.id].append(ticket)

    @rule()
    @precondition(lambda self: len(self.instances) < 5)
    def instance_starts(self) -> None:
        self.count += 1
        instance = Instance(f"i{self.count}")
        self.instances[instance.id], self.running[instance.id] = instance, []
        self.come_up(instance)

    @rule(data=st.data())
    @precondition(lambda self: self.instances)
    def instance_is_up_again(self, data: st.DataObject) -> None:
        self.come_up(data.draw(st.sampled_from(list(self.instances.values()))))

    def come_up(self, instance: Instance) -> None:
        commands = self.requests.up(instance, self.now)
        assert instance.state is State.ACTIVE
        self.drained.discard(instance.id)
        for command in commands:
            self.take(command)

    @rule()
    @precondition(lambda self: len(self.instances) < 5)
    def instance_starts_and_is_not_ready(self) -> None:
        self.count += 1
        instance = Instance(f"i{self.count}")
        self.instances[instance.id], self.running[instance.id] = instance, []
        self.requests.withhold(instance, self.now)
        assert instance.state is State.FAILED

    @rule(data=st.data())
    @precondition(lambda self: self.instances)
    def instance_is_not_ready(self, data: st.DataObject) -> None:
        instance = data.draw(st.sampled_from(list(self.instances.values())))
        drains = instance.state is State.DRAINING
        self.requests.withhold(instance, self.now)
        assert instance.state is (State.DRAINING if drains else State.FAILED)

    @rule(data=st.data())
    @precondition(lambda self: self.instances)
    def instance_drains(self, data: st.DataObject) -> None:
        instance = data.draw(st.sampled_from(list(self.instances.values())))
        self.drained.discard(instance.id)
        command = self.requests.drain(instance)
        assert (command is not None) == (not self.running[instance.id])
        if command is not None:
            self.drained.add(instance.id)

    @rule(data=st.data())
    @precondition(lambda self: self.instances)
    def instance_dies(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(list(self.instances)))
        instance = self.instances.pop(id)
        self.requests.gone(instance, self.now)
        for _ in self.running.pop(id):
            assert self.requests.release(instance, self.now) is None

    @rule(data=st.data())
    @precondition(lambda self: self.queue)
    def client_leaves_the_queue(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.queue))
        self.queue.remove(entry)
        assert self.requests.cancel(entry[0], self.now)

    @rule()
    def starting_failed(self) -> None:
        assert self.requests.flush(self.now) == [ticket for ticket, _ in self.queue]
        self.queue.clear()

    @rule(concurrency=st.integers(1, 4))
    def revision_changes(self, concurrency: int) -> None:
        self.concurrency = concurrency
        for command in self.requests.configure(concurrency, 10, self.now):
            self.take(command)

    @rule()
    def usage_is_read(self) -> None:
        sample = self.requests.sample(self.now)
        assert sample.concurrency >= 0
        loads = {k: len(v) for k, v in self.running.items()}
        told = {s.instance: s.in_flight for s in sample.instances}
        assert told == loads | dict.fromkeys(told.keys() - loads.keys(), 0), "with the last words of those gone"
        assert all(s.busy >= 0 and s.idle >= 0 for s in sample.instances)

    @invariant()
    def counts_agree(self) -> None:
        assert self.requests.in_flight == sum(map(len, self.running.values()))
        assert self.requests.waiting == len(self.queue)
        for id, instance in self.instances.items():
            assert instance.in_flight == len(self.running[id])

    @invariant()
    def nobody_waits_while_a_slot_is_free(self) -> None:
        assert not (self.queue and self.free())


Machine.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=60, deadline=None)
TestDispatcherAgainstModel = Machine.TestCase


def test_requests_on_instances_that_leave_are_known() -> None:
    requests = dispatcher(2, 2)
    for name in "abcd":
        requests.acquire(name, 0)
    first, second = requests.instances.values()
    requests.drain(first)
    requests.fail(second)
    assert requests.leaving == requests.in_flight == 4
    requests.release(first, 1)
    requests.up(second, 1)
    assert (requests.leaving, requests.in_flight) == (1, 3)
    requests.gone(first, 2)
    assert (requests.leaving, requests.in_flight) == (0, 2)
