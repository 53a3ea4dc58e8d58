"""Which revisions get a checkpoint."""

from homerun.core.checkpoint import ATTEMPTS, SLOW, Checkpoints


def test_a_slow_start_is_worth_one_a_fast_one_is_not() -> None:
    made = Checkpoints()
    made.started("fast", SLOW / 2)
    assert made.next() == ""
    made.started("slow", SLOW)
    assert made.next() == "slow"
    assert not made.has("slow")
    made.made("slow")
    assert made.has("slow")


def test_one_is_made_after_the_other_each_once() -> None:
    made = Checkpoints()
    for revision in ("a", "b", "a"):
        made.started(revision, SLOW)
    assert made.next() == "a"
    made.started("a", SLOW)
    assert made.next() == "", "it is being made"
    made.made("a")
    assert made.next() == "b"
    made.made("b")
    assert made.next() == ""


def test_what_cannot_be_made_is_not_tried_again() -> None:
    made = Checkpoints()
    made.started("a", SLOW)
    made.next()
    made.failed("a", "a connection is open")
    made.started("a", SLOW)
    assert made.next() == "" and made.why_not("a") == "a connection is open"


def test_one_of_an_earlier_run_is_known_once_an_instance_went_on_from_it() -> None:
    made = Checkpoints()
    made.restored("a")
    assert made.has("a")


def test_one_that_was_lost_is_made_again_but_not_for_ever() -> None:
    """A start that did not begin from it says so."""
    made = Checkpoints()
    made.restored("a")
    for _ in range(ATTEMPTS - 1):
        made.started("a", SLOW)
        assert not made.has("a") and made.next() == "a"
        made.made("a")
    made.started("a", SLOW)
    assert made.next() == "" and made.why_not("a")


def test_with_its_revision_all_is_forgotten() -> None:
    made = Checkpoints()
    made.restored("a")
    assert made.gone("a")
    assert not made.gone("a") and not made.has("a")
    made.started("b", SLOW)
    assert not made.gone("b") and made.next() == ""
    made.started("c", SLOW)
    made.next()
    assert made.gone("c"), "it may be on the disk already"
