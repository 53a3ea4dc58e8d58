import pytest

from homerun.core.instance import TRANSITIONS, Instance, Signal, State


def test_the_life_of_an_instance() -> None:
    instance = Instance("abc", created=0)
    for signal in (Signal.READY, Signal.DRAIN, Signal.DRAINED, Signal.EXITED):
        assert instance.signal(signal)
    assert instance.state is State.GONE


def test_one_that_drains_may_be_needed_after_all() -> None:
    instance = Instance("abc", created=0)
    for signal in (Signal.READY, Signal.DRAIN, Signal.RECALL, Signal.DRAIN, Signal.DRAINED):
        assert instance.signal(signal)
    assert not instance.signal(Signal.RECALL), "it was told to stop"


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_a_signal_outside_the_table_changes_nothing(state: State, signal: Signal) -> None:
    instance = Instance("abc", created=0, state=state)
    moved = instance.signal(signal)
    assert moved == ((state, signal) in TRANSITIONS)
    assert instance.state is TRANSITIONS.get((state, signal), state)


def test_every_state_but_the_last_can_end_and_nothing_leaves_the_last() -> None:
    assert {s for (s, signal) in TRANSITIONS if signal is Signal.EXITED} == set(State) - {State.GONE}
    assert not [s for (s, _) in TRANSITIONS if s is State.GONE]


def test_its_repr_shows_state_and_load() -> None:
    assert repr(Instance("0123456789", created=0, in_flight=2)) == "<Instance 01234567 starting, 2 in flight>"
