import re

from homerun.lib import ids


def test_their_shapes() -> None:
    assert re.fullmatch(r"[a-z0-9]{5}", ids.suffix())
    assert re.fullmatch(r"[b-df-hj-np-tv-z]{3}", ids.consonants())
    assert re.fullmatch(r"[0-9a-f]{32}", ids.instance_id())
    assert len(ids.uid()) == 36


def test_they_do_not_repeat() -> None:
    assert len({ids.instance_id() for _ in range(1000)}) == 1000


def test_one_made_of_an_owner_and_a_part_is_always_the_same() -> None:
    assert ids.uid_of("a", "1") == ids.uid_of("a", "1") != ids.uid_of("a", "2")
    assert len(ids.uid_of("a", "1")) == 36
