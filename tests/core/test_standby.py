"""Who gets a standby, when it is made, and when it goes."""

import itertools

from homerun.core.standby import CALM, ENOUGH, KEPT, REMEMBERED, SCARCE, SHARE, SIZE, Dismiss, Prepare, Standbys, room

PLENTY = 0.5


def standbys(most: int = 2) -> Standbys:
    numbers = itertools.count(1)
    return Standbys(most, lambda: f"i{next(numbers)}")


def use(made: Standbys, *revisions: str, now: float = 0) -> None:
    for revision in revisions:
        made.used(revision, now)
        made.allow(revision, True)


def ready(made: Standbys, *revisions: str, now: float = 0) -> None:
    """Each of them has one."""
    use(made, *revisions, now=now)
    for _ in revisions:
        for command in made.plan(now + CALM, PLENTY):
            assert isinstance(command, Prepare)
            made.made(command.id, now + CALM)


def test_a_revision_that_was_used_gets_one_after_a_moment_of_calm() -> None:
    made = standbys()
    made.take("a", 0)
    made.allow("a", True)
    assert made.plan(0, PLENTY) == []
    assert made.wake == CALM
    assert made.plan(CALM, PLENTY) == [Prepare("a", "i2")]
    assert made.plan(CALM, PLENTY) == [], "it is being made"


def test_the_next_instance_is_the_one_that_was_made() -> None:
    made = standbys()
    ready(made, "a")
    assert made.take("a", 5) == "i1"
    assert made.take("a", 5) == "i2", "there is only one"
    made.allow("a", True)
    assert made.plan(5, PLENTY) == []
    assert made.plan(5 + CALM, PLENTY) == [Prepare("a", "i3")]


def test_one_that_is_being_made_can_be_taken() -> None:
    made = standbys()
    use(made, "a")
    [command] = made.plan(CALM, PLENTY)
    assert isinstance(command, Prepare) and made.wanted(command.id)
    assert made.take("a", CALM) == command.id
    assert not made.wanted(command.id)
    made.made(command.id, CALM)
    standby = made.of("a")
    assert standby is not None and standby.since is None


def test_a_steady_succession_of_starts_is_no_calm() -> None:
    made = standbys()
    for tenth in range(50):
        made.take("a", tenth / 10)
        made.allow("a", True)
        assert made.plan(tenth / 10, PLENTY) == []


def test_one_is_made_after_the_other_the_last_used_first() -> None:
    made = standbys()
    use(made, "a", "b")
    assert made.plan(CALM, PLENTY) == [Prepare("b", "i1")]
    assert made.plan(CALM, PLENTY) == []
    made.made("i1", CALM)
    assert made.plan(CALM, PLENTY) == [Prepare("a", "i2")]


def test_who_was_used_last_takes_the_place_of_who_was_not() -> None:
    made = standbys(most=2)
    ready(made, "a", "b")
    use(made, "c", now=10)
    assert made.plan(10 + CALM, PLENTY) == [Dismiss("i2"), Prepare("c", "i3")]


def test_it_goes_when_its_revision_was_not_used_for_long() -> None:
    made = standbys()
    ready(made, "a")
    made.plan(2 * CALM, PLENTY)
    assert made.wake == KEPT
    use(made, "a", now=100)
    assert made.plan(KEPT, PLENTY) == []
    assert made.wake == 100 + KEPT
    assert made.plan(100 + KEPT, PLENTY) == [Dismiss("i1")]
    made.plan(101 + KEPT, PLENTY)
    assert made.wake is None and list(made) == [], "nothing is left to do, or to know"


def test_it_goes_when_its_revision_may_have_no_other_instance() -> None:
    made = standbys()
    ready(made, "a")
    made.allow("a", False)
    assert made.plan(5, PLENTY) == [Dismiss("i1")]
    made.allow("a", True)
    assert made.plan(6, PLENTY) == [Prepare("a", "i2")]


def test_it_goes_with_its_revision() -> None:
    made = standbys()
    ready(made, "a")
    assert made.gone("a") == [Dismiss("i1")]
    assert made.gone("a") == []
    assert made.plan(9, PLENTY) == []


def test_while_memory_is_short_there_are_none() -> None:
    made = standbys()
    ready(made, "a", "b")
    assert made.plan(5, SCARCE - 0.01) == [Dismiss("i2"), Dismiss("i1")]
    assert made.scarce and made.wake is None, "nobody looks again without a reason"
    assert made.plan(6, ENOUGH - 0.01) == [], "it takes more than that to begin again"
    assert made.plan(7, ENOUGH) == [Prepare("b", "i3")]


def test_one_that_could_not_be_made_is_tried_again_after_the_next_use() -> None:
    made = standbys()
    use(made, "a")
    made.plan(CALM, PLENTY)
    made.failed("i1")
    assert made.plan(9, PLENTY) == [] and made.wake is None
    made.take("a", 10)
    made.allow("a", True)
    assert made.plan(10 + CALM, PLENTY) == [Prepare("a", "i3")]


def test_a_failure_lets_the_others_have_theirs() -> None:
    made = standbys()
    use(made, "a", "b")
    made.plan(CALM, PLENTY)
    made.failed("i1")
    assert made.plan(CALM, PLENTY) == [Prepare("a", "i2")]


def test_without_room_there_are_none() -> None:
    made = standbys(most=0)
    use(made, "a")
    assert made.plan(9, PLENTY) == [] and made.wake is None


def test_of_ten_thousand_revisions_few_are_remembered() -> None:
    made = standbys(most=2)
    ready(made, "a")
    use(made, *(f"r{number}" for number in range(10_000)), now=5)
    assert len(list(made)) == 2 * REMEMBERED
    assert made.of("a") is not None, "whoever has one is not forgotten"
    assert made.of("r9999") is not None


def test_the_machine_has_memory_for_so_many() -> None:
    assert room(int(100 * SIZE / SHARE) + 1) == 100
    assert room(1 << 28) == 0
